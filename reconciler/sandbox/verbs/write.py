"""The way of every write into the store: prepare, check, number, save. All verbs that write end here."""

import re
from collections.abc import Mapping
from typing import Any

from reconciler.kube import managed
from reconciler.kube import validate as structural
from reconciler.kube.kinds import NAMESPACE
from reconciler.kube.names import GroupKind
from reconciler.sandbox import metadata
from reconciler.sandbox.core import Core
from reconciler.sandbox.refusals import (
    Cause,
    Refusal,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.rules import Causes, shown
from reconciler.sandbox.store import Entry

Value = dict[str, Any]

_MAP_KEY = re.compile(r"\[(?!\d+\])([^\]]*)\]")
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def admit(core: Core, kind: Kind, namespace: str, name: str) -> None:
    """Refuse a new object in a namespace that is absent (404) or being deleted (403)."""
    if not kind.namespaced:
        return
    found = core.get(NAMESPACE, "", namespace)
    if found is None:
        raise not_found("", "namespaces", namespace)
    if "deletionTimestamp" in found["metadata"]:
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        raise forbidden(kind.group, kind.plural, name, why, [cause])


def place(kind: Kind, value: Value, namespace: str) -> None:
    """Put the path's namespace into an object. Raises Refusal (400) where the object states another one."""
    about = value["metadata"]
    if not kind.namespaced:
        about.pop("namespace", None)
        return
    if about.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def create(core: Core, kind: Kind, value: Value, *, dry_run: bool, upsert: bool = False) -> Value:
    """Store a new object, clean and completed, its namespace placed; returns it as stored.

    With `upsert` the request could as well have been an update, and may state a resourceVersion.
    """
    about = value["metadata"]
    namespace = about.get("namespace", "")
    admit(core, kind, namespace, about.get("name") or about.get("generateName", ""))
    about["uid"] = core.uid()
    about["creationTimestamp"] = core.now()
    generated = not about.get("name") and about.get("generateName")
    if generated:
        about["name"] = generated[:58] + core.suffix()
        while core.find(kind, namespace, about["name"]) is not None:
            about["name"] = generated[:58] + core.suffix()
    rules = kind.rules
    if rules.generation:
        about["generation"] = 1
    if kind.has_status and not rules.keeps_status:
        kind.reset_status(value)
    if rules.before_create is not None:
        rules.before_create(value, core)
    if rules.assign is not None:
        rules.assign(value, None, core, dry_run)
    causes = Causes()
    _validate(kind, value, causes)
    if rules.validate_create is not None:
        rules.validate_create(value, causes)
    if not (causes and rules.metadata_last):
        metadata.validate(about, namespaced=kind.namespaced, rules=rules, causes=causes)
    if causes:
        raise invalid(kind.group_kind, about.get("name", ""), causes)
    _admit(kind, value, None)
    if "resourceVersion" in about and not dry_run and not upsert:
        raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
    if core.find(kind, namespace, about["name"]) is not None:
        raise already_exists(kind.group, kind.plural, about["name"], generated="generateName" in about)
    kind.codec.settle(value)
    if dry_run:
        return value
    stored = core.save(kind, value)
    if rules.after_write is not None:
        rules.after_write(stored, None, core)
    return stored


def _admit(kind: Kind, new: Value, old: Value | None) -> None:
    causes = Causes()
    if kind.rules.admit is not None:
        kind.rules.admit(new, old, causes)
    if causes:
        raise invalid(kind.group_kind, new["metadata"].get("name", ""), causes)


def check_preconditions(kind: Kind, entry: Entry, about: Value) -> None:
    """Refuse an update of another revision of an object than the one that is there (409)."""
    revision = about.get("resourceVersion")
    if revision and revision != str(entry.revision):
        raise conflict(kind.group, kind.plural, entry.name, MODIFIED)
    if not revision and not kind.rules.unconditional_update:
        causes = Causes()
        causes.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(GroupKind(kind.group, kind.plural), entry.name, causes)  # the real one names the resource here


def update(
    core: Core, kind: Kind, entry: Entry, old: Value, new: Value, *, dry_run: bool, status: bool = False
) -> Value:
    """Store another state of an object; returns it as stored, or as it was where nothing changed.

    `old` is the object as read from `entry`; neither it nor `new` is the caller's any more. With `status`, `new` was
    given to the status subresource. An object whose deletion waited for this write is removed.
    """
    about, before = new["metadata"], old["metadata"]
    check_preconditions(kind, entry, about)
    about["resourceVersion"] = before["resourceVersion"]
    metadata.carry_over(about, before)
    rules = kind.rules
    if status:
        new = _status_only(kind, new, old)
        about = new["metadata"]
    else:
        if kind.has_status:
            _keep(new, old, "status")
        if rules.before_update is not None:
            rules.before_update(new, old, core)
        if rules.assign is not None:
            rules.assign(new, old, core, dry_run)
        if rules.generation and _differs(kind, new, old):
            about["generation"] = before.get("generation", 0) + 1
    causes = Causes()
    metadata.validate(about, namespaced=kind.namespaced, rules=rules, causes=causes, creating=False, status=status)
    metadata.validate_update(about, before, causes)
    if status:
        if kind.custom:
            _validate_custom(kind, new, causes)
        if rules.validate_status is not None:
            rules.validate_status(new, old, causes)
    else:
        _validate(kind, new, causes)
        if rules.validate_update is not None:
            rules.validate_update(new, old, causes)
    if causes:
        raise invalid(kind.group_kind, entry.name, list(dict.fromkeys(causes)))
    if not status:
        _admit(kind, new, old)
    gone = "deletionTimestamp" in about and not about.get("finalizers") and not about.get("deletionGracePeriodSeconds")
    if gone and kind.group_kind != NAMESPACE:
        if not dry_run:
            core.delete(kind, entry)
        return new
    kind.codec.settle(new)
    if not dry_run:
        about.pop("selfLink", None)
    if managed.unchanged(old, new):
        return old
    if dry_run:
        return new
    stored = core.save(kind, new)
    if rules.after_write is not None:
        rules.after_write(stored, old, core)
    return stored


def _keep(new: Value, old: Value, name: str) -> None:
    if name in old:
        new[name] = old[name]
    else:
        new.pop(name, None)


def _status_only(kind: Kind, new: Value, old: Value) -> Value:
    """What a write to /status may change: the status, and in most kinds the metadata."""
    changed = {**old, "metadata": new["metadata"]}
    _keep(changed, new, "status")
    if kind.custom:
        if changed.get("status", {}) is None:
            del changed["status"]
        about = dict(old["metadata"])
        _keep(about, new["metadata"], "managedFields")
        changed["metadata"] = about
    if kind.rules.before_status is not None:
        kind.rules.before_status(changed, old)
    return changed


def _differs(kind: Kind, new: Value, old: Value) -> bool:
    """Whether an update is one that `metadata.generation` counts."""
    for name in new.keys() | old.keys():
        if name == "metadata" or (name == "status" and kind.rules.generation_ignores_status):
            continue
        if new.get(name) != old.get(name):
            return True
    return any(new["metadata"].get(name) != old["metadata"].get(name) for name in kind.rules.generation_also)


def _validate(kind: Kind, value: Value, causes: Causes) -> None:
    if kind.custom:
        _validate_custom(kind, value, causes)
    if kind.rules.validate is not None:
        kind.rules.validate(value, causes)


def _validate_custom(kind: Kind, value: Value, causes: Causes) -> None:
    body = {name: part for name, part in value.items() if name != "metadata"}
    nulls = list(structural.refused_nulls(body, kind.schema))
    stated = {violation.path for violation in nulls}
    for violation in (*structural.validate(body, kind.schema), *nulls):
        if violation.reason == "FieldValueRequired" and violation.path in stated:
            continue  # it is there, and null
        path = _MAP_KEY.sub(r".\1", violation.path)  # the real server writes them as fields here
        causes.append(Cause(violation.reason, violation.message, path))
    for path, resource in structural.embedded(body, kind.schema):
        metadata.validate_embedded(resource, path, causes)
    if kind.custom_scale:
        _validate_scale(kind.custom_scale, value, causes)


def _validate_scale(paths: Mapping[str, str], value: Value, causes: Causes) -> None:
    """The fields that a custom resource's scale is made of hold what a Scale can hold."""
    for name, wanted in (("specReplicasPath", int), ("statusReplicasPath", int), ("labelSelectorPath", str)):
        if not (path := paths.get(name)):
            continue
        found: Any = value
        for part in path.removeprefix(".").split("."):
            if found is None:
                break
            if not isinstance(found, dict):
                causes.invalid(path, value.get("spec"), f"accessor error: {shown(found)} is no object")
                break
            if part not in found:
                break
            found = found[part]
        else:
            if type(found) is not wanted:
                causes.invalid(path, found, "accessor error: another type is expected")
            elif isinstance(found, int) and not 0 <= found < 2**31:
                causes.invalid(path, found, "should be a non-negative integer, less than 2147483648")
