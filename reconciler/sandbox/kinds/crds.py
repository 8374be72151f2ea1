"""CustomResourceDefinitions: what may be defined, and how a definition becomes an API."""

from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.apply import update as owners_after
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.kinds.crd_schema import validate_schema
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core
    from reconciler.sandbox.registry import Kind

Value = dict[str, Any]

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_COLUMN_FORMATS: Final = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")


def _before_create(crd: Value, _core: "Core") -> None:
    stored = [v["name"] for v in crd["spec"].get("versions") or () if v.get("storage")][:1]
    crd["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def _before_update(crd: Value, _old: Value, _core: "Core") -> None:
    known = crd["status"].get("storedVersions") or []
    stored = [version["name"] for version in crd["spec"].get("versions") or () if version.get("storage")][:1]
    crd["status"] = {**crd["status"], "storedVersions": [*known, *(name for name in stored if name not in known)]}


def _validate(crd: Value, causes: Causes) -> None:
    spec = crd["spec"]
    group, names = spec.get("group", ""), spec["names"]
    if not group:
        causes.required("spec.group")
    else:
        problems = naming.dns_subdomain(group)
        causes.words("spec.group", group, problems)
        if not problems and "." not in group:
            causes.invalid("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        if not spec.get("scope"):
            causes.required("spec.scope")
        else:
            causes.unsupported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    _names(names, causes)
    versions = spec.get("versions") or []
    _versions(versions, causes)
    if versions:
        name = versions[0].get("name", "")
        causes.words("spec.version", name, naming.dns_1035_label(name) if name else ())
    _stored_versions(crd, versions, causes)
    if (conversion := spec.get("conversion")) is not None:
        _conversion(conversion, causes)
        if conversion.get("strategy") != "None" and spec.get("preserveUnknownFields"):
            causes.invalid(
                "spec.conversion.strategy",
                conversion.get("strategy"),
                "must be None if spec.preserveUnknownFields is true",
            )
    if spec.get("preserveUnknownFields"):
        causes.invalid(
            "spec.preserveUnknownFields",
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        )


def _stored_versions(crd: Value, versions: list[Value], causes: Causes) -> None:
    stored = (crd.get("status") or {}).get("storedVersions") or []
    field = "status.storedVersions"
    if not stored:
        causes.invalid(field, [], "must have at least one stored version")
        return
    missing = dict(zip(stored, range(len(stored)), strict=True))
    for version in versions:
        if version.get("storage") and version["name"] not in missing:
            causes.invalid(field, stored, f"must have the storage version {version['name']}")
        missing.pop(version["name"], None)
    for name, index in missing.items():
        why = f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions"
        causes.invalid(f"{field}[{index}]", name, why)


def _validate_create(crd: Value, causes: Causes) -> None:
    spec, about = crd["spec"], crd["metadata"]
    for field in ("name", "generateName"):
        text = about.get(field, "")
        if text and text.rstrip("-") != f"{spec['names'].get('plural', '')}.{spec.get('group', '')}":
            causes.invalid(f"metadata.{field}", text, 'must be spec.names.plural+"."+spec.group')


def _conversion(conversion: Value, causes: Causes) -> None:
    strategy = conversion.get("strategy")
    if strategy == "Webhook":
        if not (conversion.get("webhook") or {}).get("clientConfig"):
            causes.required("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook")
        client = (conversion.get("webhook") or {}).get("clientConfig")
        if client is not None and ("url" in client) == ("service" in client):
            causes.required("spec.conversion.webhookClientConfig", "exactly one of url or service is required")
        _review_versions((conversion.get("webhook") or {}).get("conversionReviewVersions") or [], causes)
        return
    if not strategy:
        causes.required("spec.conversion.strategy")
    elif strategy != "None":
        causes.unsupported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    why = "should not be set when strategy is not set to Webhook"
    webhook = conversion.get("webhook") or {}
    if webhook.get("clientConfig") is not None:
        causes.forbidden("spec.conversion.webhookClientConfig", why)
    if webhook.get("conversionReviewVersions"):
        causes.forbidden("spec.conversion.conversionReviewVersions", why)


def _review_versions(versions: list[str], causes: Causes) -> None:
    field = "spec.conversion.conversionReviewVersions"
    if not versions:
        causes.required(field)
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            causes.invalid(f"{field}[{index}]", version, "duplicate version")
        else:
            causes.words(f"{field}[{index}]", version, naming.dns_1035_label(version))
    if not {"v1", "v1beta1"} & set(versions):
        causes.invalid(field, versions, "must include at least one of v1, v1beta1")


def _names(names: Value, causes: Causes) -> None:
    for name in ("plural", "singular", "kind", "listKind"):
        text = names.get(name)
        if not text:
            causes.required(f"spec.names.{name}")
        else:
            causes.words(f"spec.names.{name}", text, naming.dns_1035_label(text.lower() if "ind" in name else text))
    for group in ("shortNames", "categories"):
        for index, text in enumerate(names.get(group) or ()):
            causes.words(f"spec.names.{group}[{index}]", text, naming.dns_1035_label(text))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _versions(versions: list[Value], causes: Causes) -> None:
    for index, version in enumerate(versions):
        causes.words(
            f"spec.versions[{index}].name", version.get("name", ""), naming.dns_1035_label(version.get("name", ""))
        )
        warning = version.get("deprecationWarning")
        if warning is not None and (not version.get("deprecated") or not 0 < len(warning) <= 256):
            why = "can only be set for deprecated versions, and must have 1 to 256 characters"
            causes.invalid(f"spec.versions[{index}].deprecationWarning", warning, why)
    for name, top, check in (
        ("schema", "validation", _version_schema),
        ("additionalPrinterColumns", "additionalPrinterColumns", _columns),
        ("subresources", "subresources", _subresources),
    ):
        stated = [version.get(name) for version in versions]
        if (
            stated and stated[0] and all(one == stated[0] for one in stated)
        ):  # what all versions share is read as theirs together
            check(stated[0], f"spec.{top}", causes)
        else:
            for index, one in enumerate(stated):
                check(one, f"spec.versions[{index}].{name}", causes)
    selected = [version.get("selectableFields") or [] for version in versions]
    shared = selected and all(one == selected[0] for one in selected)
    for index, fields in enumerate(selected[:1] if shared else selected):
        field = "spec.selectableFields" if shared else f"spec.versions[{index}].selectableFields"
        _selectable(fields, (versions[index].get("schema") or {}).get("openAPIV3Schema"), field, causes)
    if len({version.get("name") for version in versions}) != len(versions):
        causes.invalid("spec.versions", versions, "must contain unique version names")
    if sum(1 for version in versions if version.get("storage")) != 1:
        causes.invalid("spec.versions", versions, "must have exactly one version marked as storage version")


def _version_schema(stated: Value | None, field: str, causes: Causes) -> None:
    schema = (stated or {}).get("openAPIV3Schema")
    if schema is None:
        causes.required(f"{field}.openAPIV3Schema", "schemas are required")
    else:
        validate_schema(schema, f"{field}.openAPIV3Schema", causes, root=True)


def _selectable(fields: list[Value], schema: Value | None, field: str, causes: Causes) -> None:
    if fields and schema is None:
        causes.invalid(field, "", "may only be set where there is a schema")
        return
    seen: set[str] = set()
    for index, each in enumerate(fields):
        path, where = each.get("jsonPath", ""), f"{field}[{index}].jsonPath"
        if not path:
            causes.required(where)
            continue
        found = _at(schema or {}, path)
        if found is None:
            causes.invalid(where, path, "is an invalid path: does not refer to a valid field")
            continue
        if path.startswith(".metadata"):
            causes.invalid(where, path, "must not point to fields in metadata")
        if found.get("type") not in ("boolean", "integer", "string"):
            causes.invalid(where, path, "must point to a field of type string, boolean or integer")
        if path in seen:
            causes.duplicate(where, path)
        seen.add(path)
    if len(seen) > 8:
        causes.too_many(field, 8)


def _at(schema: Value, path: str) -> Value | None:
    """What a schema says of the field at a path as ".spec.color"; None where it says nothing."""
    start, *names = path.split(".")
    found: Value | None = schema if not start and names else None
    for name in names:
        found = ((found or {}).get("properties") or {}).get(name)
    return found


def _columns(stated: list[Value] | None, field: str, causes: Causes) -> None:
    for index, column in enumerate(stated or ()):
        path = f"{field}[{index}]"
        if not column.get("name"):
            causes.required(f"{path}.name")
        if not column.get("type"):
            causes.required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif column["type"] not in _COLUMN_TYPES:
            causes.invalid(f"{path}.type", column.get("type", ""), f"must be one of {','.join(_COLUMN_TYPES)}")
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            why = f"must be one of {','.join(_COLUMN_FORMATS)}"
            causes.invalid(f"{path}.format", column["format"], why)
        if not column.get("jsonPath"):
            causes.required(f"{path}.JSONPath")
        elif not column["jsonPath"].startswith("."):
            causes.invalid(f"{path}.JSONPath", column["jsonPath"], "must be a simple json path starting with .")


def _subresources(stated: Value | None, field: str, causes: Causes) -> None:
    scale = (stated or {}).get("scale")
    if scale is None:
        return
    for name, root, needed in (
        ("specReplicasPath", ".spec.", True),
        ("statusReplicasPath", ".status.", True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        path = scale.get(name)
        if not path:
            if needed:
                causes.required(f"{field}.scale.{name}")
        elif not path.startswith("."):
            causes.invalid(f"{field}.scale.{name}", path, "must be a simple json path starting with .")
        elif not path.startswith(root):
            causes.invalid(f"{field}.scale.{name}", path, f"should be a json path under {root}")


def _validate_update(new: Value, old: Value, causes: Causes) -> None:
    established = any(
        c.get("type") == "Established" and c.get("status") == "True"
        for c in (old.get("status") or {}).get("conditions") or ()
    )
    if established:
        for field, path in (("scope", ("scope",)), ("names.kind", ("names", "kind"))):
            after, before = new["spec"], old["spec"]
            for part in path:
                after, before = after.get(part), before.get(part)
            if after != before:
                causes.invalid(f"spec.{field}", after, IMMUTABLE)
    for field in ("group", "names.plural"):
        after, before = new["spec"], old["spec"]
        for part in field.split("."):
            after, before = after.get(part), before.get(part)
        if after != before:
            causes.invalid(f"spec.{field}", after, IMMUTABLE)


def _conflict(crd: Value, core: "Core") -> str:
    """Which name another resource of the group has already; "" where none is."""
    spec = crd["spec"]
    names = spec["names"]
    wanted = {names["plural"], names["singular"], *(names.get("shortNames") or ())}
    for kind in core.registry.kinds():
        if kind.group != spec["group"] or kind.plural == names["plural"]:
            continue
        taken = {kind.plural, kind.resource.singular, *kind.resource.short_names}
        if both := sorted(wanted & taken):
            return f'"{both[0]}" is already in use'
        if kind.resource.kind == names["kind"]:
            return f'"{names["kind"]}" is already in use'
    return ""


def _condition(kind: str, status: bool, reason: str, message: str, now: str) -> Value:
    word = "True" if status else "False"
    return {"type": kind, "status": word, "lastTransitionTime": now, "reason": reason, "message": message}


def terminating(now: str) -> Value:
    """The condition of a definition whose objects are still to be deleted."""
    why = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    return _condition("Terminating", True, "InstanceDeletionPending", why, now)


def _after_write(crd: Value, _old: Value | None, core: "Core") -> None:
    """Accept the names, serve the API and say so in the status: a second write, as the real server makes."""
    if "deletionTimestamp" in crd["metadata"]:
        return
    problem = _conflict(crd, core)
    now = core.now()
    kept = {c["type"]: c for c in (crd.get("status") or {}).get("conditions") or ()}
    if problem:
        conditions = [
            _condition("NamesAccepted", False, "NamesConflict", problem, now),
            _condition("Established", False, "NotAccepted", "not all names are accepted", now),
        ]
    else:
        conditions = [
            _condition("NamesAccepted", True, "NoConflicts", "no conflicts found", now),
            _condition("Established", True, "InitialNamesAccepted", "the initial names have been accepted", now),
        ]
        core.registry.add_crd(crd)
    conditions = [kept[c["type"]] if kept.get(c["type"], {}).get("status") == c["status"] else c for c in conditions]
    others = [c for kind, c in kept.items() if kind not in ("NamesAccepted", "Established")]
    status = {**crd["status"], "conditions": [*conditions, *others]}
    if not problem:
        status["acceptedNames"] = crd["spec"]["names"]
    if status == crd["status"]:
        return
    kind = core.registry.kind(DEFINITION)
    if kind is None:
        return
    _save_status(kind, crd, {**crd, "metadata": dict(crd["metadata"]), "status": status}, core)


def _save_status(kind: "Kind", crd: Value, changed: Value, core: "Core") -> None:
    """As the server's own controllers write it."""
    fields = owners_after(
        {**crd, "metadata": changed["metadata"]},
        changed,
        kind.schema,
        manager="kube-apiserver",
        api_version=kind.api_version,
        time=core.now(),
        subresource="status",
    )
    if fields:
        changed["metadata"]["managedFields"] = fields
    core.save(kind, changed)


def instance_gone(value: Value, core: "Core") -> None:
    """The last object of a definition that is being deleted lets it go."""
    served = core.registry.kind(GroupKind(value["apiVersion"].partition("/")[0], value["kind"]))
    crd = core.get(DEFINITION, "", f"{served.plural}.{served.group}") if served else None
    if crd is not None:
        let_go(crd, core)


def let_go(crd: Value, core: "Core") -> None:
    """Take our finalizer from a definition that is being deleted and has no objects any more."""
    kind = core.registry.kind(DEFINITION)
    entry = core.store.get(DEFINITION, "", crd["metadata"]["name"])
    finalizers = crd["metadata"].get("finalizers") or []
    if kind is None or entry is None or CLEANUP not in finalizers or "deletionTimestamp" not in crd["metadata"]:
        return
    if core.store.count(GroupKind(crd["spec"]["group"], crd["spec"]["names"]["kind"])):
        return
    if finalizers == [CLEANUP]:
        core.delete(kind, entry)
        return
    rest = [name for name in finalizers if name != CLEANUP]
    done = _condition("Terminating", False, "InstanceDeletionCompleted", "removed all instances", core.now())
    others = [each for each in crd["status"].get("conditions") or () if each["type"] != "Terminating"]
    changed = {
        **crd,
        "metadata": {**crd["metadata"], "finalizers": rest},
        "status": {**crd["status"], "conditions": [*others, done]},
    }
    _save_status(kind, crd, changed, core)


def _after_delete(crd: Value, core: "Core") -> None:
    core.registry.remove_crd(crd)


RULES: Final = {
    DEFINITION: Rules(
        generation=True,
        plain_finalizers=True,
        unconditional_update=False,
        before_create=_before_create,
        before_update=_before_update,
        validate=_validate,
        validate_create=_validate_create,
        validate_update=_validate_update,
        after_write=_after_write,
        after_delete=_after_delete,
    )
}
