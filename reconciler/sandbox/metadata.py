"""What the server itself writes into `metadata`, and what it refuses there, alike for all kinds."""

import re
from typing import Any, Final

from reconciler.sandbox import naming
from reconciler.sandbox.rules import Causes, Rules

Value = dict[str, Any]

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"
STANDARD_FINALIZERS: Final = frozenset((ORPHAN, FOREGROUND, "kubernetes"))
_REASON: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_ANNOTATIONS_LIMIT: Final = 256 * 1024


def validate(
    metadata: Value, *, namespaced: bool, rules: Rules, causes: Causes, creating: bool = True, status: bool = False
) -> None:
    """For a new object, and again for an updated one. `status`: given to the status, whose rules may know no names."""
    name = metadata.get("name", "")
    if creating and (prefix := metadata.get("generateName")) and (stem := prefix.rstrip("-")):
        causes.words("metadata.generateName", prefix, rules.name(stem))
    if not name:
        causes.required("metadata.name", "name or generateName is required")
    elif creating:
        causes.words("metadata.name", name, rules.name(name))
    if namespaced and not metadata.get("namespace"):
        causes.required("metadata.namespace")
    elif not namespaced and metadata.get("namespace"):
        causes.forbidden("metadata.namespace", "not allowed on this type")
    labels(metadata.get("labels") or {}, "metadata.labels", causes)
    _annotations(metadata.get("annotations") or {}, causes)
    _owners(metadata.get("ownerReferences") or (), causes)
    finalizers = metadata.get("finalizers") or ()
    for index, finalizer in enumerate(finalizers):
        problems = naming.qualified_name(finalizer)
        causes.words("metadata.finalizers", finalizer, problems)
        if not rules.plain_finalizers and not (status and rules.validate_status is None):
            causes.words(f"metadata.finalizers[{index}]", finalizer, problems)
            if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
                why = "name is neither a standard finalizer name nor is it fully qualified"
                causes.invalid(f"metadata.finalizers[{index}]", finalizer, why)
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        why = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        causes.invalid("metadata.finalizers", list(finalizers), why)


def validate_embedded(resource: Value, path: str, causes: Causes) -> None:
    """A resource within a custom resource says what it is."""
    kind, version = resource.get("kind"), resource.get("apiVersion")
    if not kind:
        causes.required(f"{path}.kind")
    else:
        causes.words(f"{path}.kind", kind, naming.dns_1035_label(kind.lower()))
    if not version:
        causes.required(f"{path}.apiVersion")
    elif version.count("/") > 1:
        causes.invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    about = resource.get("metadata") or {}
    labels(about.get("labels") or {}, f"{path}.metadata.labels", causes)


def conditions(found: Any, field: str, causes: Causes) -> None:
    """Conditions as the newer kinds have them."""
    seen: set[str] = set()
    for index, condition in enumerate(found or ()):
        path = f"{field}[{index}]"
        kind = condition.get("type", "")
        causes.words(f"{path}.type", kind, naming.qualified_name(kind))
        if kind in seen:
            causes.duplicate(f"{path}.type", kind)
        seen.add(kind)
        if condition.get("observedGeneration", 0) < 0:
            causes.invalid(f"{path}.observedGeneration", condition["observedGeneration"], "must not be negative")
        if condition.get("reason") and not _REASON.fullmatch(condition["reason"]):
            causes.invalid(f"{path}.reason", condition["reason"], "must be a word")
        if condition.get("status") not in ("False", "True", "Unknown"):
            causes.unsupported(f"{path}.status", condition.get("status", ""), ("False", "True", "Unknown"))
        for name in ("lastTransitionTime", "reason"):
            if not condition.get(name):
                causes.required(f"{path}.{name}")


def labels(found: Value, field: str, causes: Causes) -> None:
    for key, value in found.items():
        causes.words(field, key, naming.qualified_name(key))
        causes.words(field, value, naming.label_value(value))


def selector(found: Value, field: str, causes: Causes) -> None:
    """A label selector as an object states it."""
    labels(found.get("matchLabels") or {}, f"{field}.matchLabels", causes)
    for index, expression in enumerate(found.get("matchExpressions") or ()):
        path = f"{field}.matchExpressions[{index}]"
        operator, values = expression.get("operator"), expression.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                causes.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.forbidden(f"{path}.values", why)
        else:
            causes.invalid(f"{path}.operator", operator, "not a valid selector operator")
        key = expression.get("key", "")
        causes.words(f"{path}.key", key, naming.qualified_name(key))
        for position, value in enumerate(values):
            causes.words(f"{path}.values[{position}]", value, naming.label_value(value))


def _annotations(annotations: Value, causes: Causes) -> None:
    size = 0
    for key, value in annotations.items():
        causes.words("metadata.annotations", key, naming.qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > _ANNOTATIONS_LIMIT:
        causes.too_long("metadata.annotations", _ANNOTATIONS_LIMIT)


def _owners(references: Any, causes: Causes) -> None:
    field = "metadata.ownerReferences"
    controller = ""
    for reference in references:
        if not reference.get("apiVersion"):
            causes.invalid(f"{field}.apiVersion", "", "version must not be empty")
        for name in ("kind", "name", "uid"):
            if not reference.get(name):
                causes.invalid(f"{field}.{name}", "", "must not be empty")
        if (reference.get("apiVersion"), reference.get("kind")) == ("v1", "Event"):
            causes.invalid(field, reference, "v1, Kind=Event is disallowed from being an owner")
        if reference.get("controller"):
            this = f"{reference['kind']}/{reference['name']}"
            if controller:
                why = 'Only one reference can have Controller set to true. Found "true" in references for'
                causes.invalid(field, list(references), f"{why} {controller} and {this}")
            else:
                controller = this


def drop_repeated_owners(metadata: Value) -> None:
    """Of the same owner twice the first counts."""
    if references := metadata.get("ownerReferences"):
        metadata["ownerReferences"] = [each for i, each in enumerate(references) if each not in references[:i]]


def carry_over(new: Value, old: Value) -> None:
    """Give an updated object what an update can never take away or need not say."""
    if not new.get("uid"):
        new["uid"] = old["uid"]
    for name in ("creationTimestamp", "deletionTimestamp", "generation"):
        if name in old:
            new[name] = old[name]
        else:
            new.pop(name, None) if name == "generation" else None
    if "deletionGracePeriodSeconds" in old:
        new.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])


def validate_update(new: Value, old: Value, causes: Causes) -> None:
    if "deletionTimestamp" in old:
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            why = "no new finalizers can be added if the object is being deleted, found new finalizers"
            causes.forbidden("metadata.finalizers", f"{why} {extra}")
    for name in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if new.get(name) != old.get(name):
            causes.invalid(f"metadata.{name}", new.get(name), "field is immutable")
