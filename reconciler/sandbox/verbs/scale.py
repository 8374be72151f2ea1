"""The scale subresource: one number of an object, seen as an autoscaling/v1 Scale."""

from typing import Any, Final

from reconciler.http.transport import Response
from reconciler.kube import apply as structured
from reconciler.kube import managed
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.patch import PatchError, json_patch, merge_patch, strategic_merge
from reconciler.kube.path import Field
from reconciler.sandbox import content
from reconciler.sandbox.goscalars import kind_of
from reconciler.sandbox.refusals import Refusal, bad_request, conflict, internal, invalid, unsupported_media_type
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.store import Entry
from reconciler.sandbox.tables.column import dig
from reconciler.sandbox.verbs import ownership, patch, write
from reconciler.sandbox.verbs.call import Call

Value = dict[str, Any]

_NO_TIME: Final = ""  # the real server does not say when a scale was written
SCALE: Final = GroupVersionKind("autoscaling", "v1", "Scale")


def scale(call: Call) -> Response:
    """GET, PUT and PATCH of `/scale`."""
    core, kind = call.core, call.kind
    if call.request.method == "PUT":
        _check_body(call)
    elif call.request.method == "PATCH" and content.media_type(call.request.headers) not in patch.accepted(call):
        raise unsupported_media_type(patch.accepted(call))
    entry = call.entry()
    old = core.read(entry, kind)
    before = _seen(kind, old)
    if call.request.method == "GET":
        return call.respond(before)
    if content.media_type(call.request.headers) == patch.APPLY:
        return _apply(call, entry, old)
    after = _wanted(call, before)
    stated = (after.get("metadata") or {}).get("resourceVersion")
    if stated and stated != old["metadata"]["resourceVersion"]:
        raise conflict(kind.group, kind.plural, call.name, write.MODIFIED)
    replicas = (after.get("spec") or {}).get("replicas") or 0
    if type(replicas) is not int:
        found = kind_of(replicas)
        why = f"json: cannot unmarshal {found} into Go struct field ScaleSpec.spec.replicas of type int32"
        raise bad_request(why) if call.request.method == "PUT" else patch.blame(why)
    if replicas < 0 and not kind.custom:
        causes = Causes()
        causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(SCALE.group_kind, call.name, causes)
    new = _with(old, _path(kind, "specReplicasPath", "spec.replicas"), replicas)
    if _recorded(kind, old):
        fields = structured.update(
            _stated(kind, old),
            _stated(kind, new),
            kind.schema,
            manager=call.manager,
            api_version=kind.api_version,
            time=_NO_TIME,
            subresource="scale",
        )
        new["metadata"] = {**new["metadata"], **({"managedFields": fields} if fields else {})}
    stored = write.update(core, kind, entry, old, new, dry_run=call.dry_run)
    return call.respond(_seen(kind, stored))


def _stated(kind: Kind, value: Value) -> Value:
    """An object as its Scale shows it: there is no zero in a Scale."""
    path = _path(kind, "specReplicasPath", "spec.replicas")
    if dig(value, *path) != 0:
        return value
    parent = {name: part for name, part in dig(value, *path[:-1]).items() if name != path[-1]}
    return _with(value, path[:-1], parent)


def _check_body(call: Call) -> None:
    """Refuse (400) what is no Scale, or another object's."""
    body = call.body()
    stated = (body.get("apiVersion", SCALE.api_version), body.get("kind", SCALE.kind)) if isinstance(body, dict) else ()
    if stated != (SCALE.api_version, SCALE.kind):
        raise bad_request(f"{stated} cannot be handled as a Scale")
    name = (body.get("metadata") or {}).get("name")
    if name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")


def _recorded(kind: Kind, value: Value) -> bool:
    """Whether anybody owns the field: else its Scale has no managedFields, and who writes it is on no record."""
    path = tuple(Field(part) for part in _path(kind, "specReplicasPath", "spec.replicas"))
    return any(path in entry.fields for entry in managed.read(value).values())


def _wanted(call: Call, before: Value) -> Value:
    media = content.media_type(call.request.headers)
    if call.request.method == "PUT":
        after = call.body()
    else:
        document = content.decode_json(call.request.body)
        try:
            if media == patch.JSON_PATCH:
                after = json_patch(before, document)
            elif media == patch.MERGE:
                after = merge_patch(before, document)
            else:
                after = strategic_merge(before, document, call.core.registry.catalog.schema(SCALE))
        except PatchError as error:
            raise bad_request(str(error)) from None
    if not isinstance(after, dict):
        raise bad_request("the body is not an object")
    return after


def _apply(call: Call, entry: Entry, old: Value) -> Response:
    """Server-side apply of a Scale: an apply of that one field."""
    kind = call.kind
    document = content.decode_yaml(call.request.body)
    spec = (document.get("spec") or {}) if isinstance(document, dict) else {}
    replicas = spec.get("replicas")
    if replicas is not None and (isinstance(replicas, bool) or not isinstance(replicas, int | float)):
        raise internal("failed to create typed patch object: .spec.replicas: expected numeric (int or float)")
    before = dig(old, *_path(kind, "specReplicasPath", "spec.replicas"))
    if "replicas" in spec and before and before != replicas and not _recorded(kind, old) and "force" not in call.query:
        why = 'Apply failed with 1 conflict: conflict with "before-first-apply" with subresource "scale"'
        cause = {"reason": "FieldManagerConflict", "message": why, "field": ".spec.replicas"}
        raise Refusal(409, "Conflict", why, {"causes": [cause]})
    about = {"name": call.name, **({"namespace": call.namespace} if kind.namespaced else {})}
    applied: Value = {"apiVersion": kind.api_version, "kind": kind.resource.kind, "metadata": about}
    if "replicas" in spec:
        applied = _with(applied, _path(kind, "specReplicasPath", "spec.replicas"), replicas)
    try:
        new, changed = ownership.apply(call, old, applied, manager=patch.applier(call), time=_NO_TIME)
    except Refusal as refusal:
        for cause in (refusal.details or {}).get("causes") or ():
            cause["field"] = ".spec.replicas"  # as a Scale knows it
        raise
    if not changed:
        return call.respond(_seen(kind, old))
    stored = write.update(call.core, kind, entry, old, new, dry_run=call.dry_run)
    return call.respond(_seen(kind, stored))


def _path(kind: Kind, name: str, default: str) -> list[str]:
    """Where a Scale's field lies in the object."""
    stated = (kind.custom_scale or {}).get(name, "")
    return (stated.removeprefix(".") or default).split(".")


def _seen(kind: Kind, value: Value) -> Value:
    about = value["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Value = {"replicas": dig(value, *_path(kind, "statusReplicasPath", "status.replicas")) or 0}
    if selector := _selector(kind, value):
        status["selector"] = selector
    spec: Value = {}
    if replicas := dig(value, *_path(kind, "specReplicasPath", "spec.replicas")):
        spec["replicas"] = replicas
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {name: about[name] for name in names if name in about},
        "spec": spec,
        "status": status,
    }


def _selector(kind: Kind, value: Value) -> str:
    if kind.custom:
        path = (kind.custom_scale or {}).get("labelSelectorPath", "")
        return str(dig(value, *path.removeprefix(".").split(".")) or "") if path else ""
    found = dig(value, "spec", "selector") or {}
    if "matchLabels" not in found and "matchExpressions" not in found:
        found = {"matchLabels": found}
    parts = [f"{key}={text}" for key, text in sorted((found.get("matchLabels") or {}).items())]
    for expression in found.get("matchExpressions") or ():
        key, operator, values = (
            expression["key"],
            expression["operator"],
            ",".join(sorted(expression.get("values") or ())),
        )
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(words.get(operator, key))
    return ",".join(parts)


def _with(value: Value, path: list[str], new: Any) -> Value:
    """A copy of an object in which one field is set."""
    name, *rest = path
    return {**value, name: _with(value.get(name) or {}, rest, new) if rest else new}
