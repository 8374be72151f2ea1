"""The scale subresource: one number of an object, seen as an autoscaling/v1 Scale."""

from typing import Any, Final

from reconciler.http.transport import Response
from reconciler.kube import apply as structured
from reconciler.kube import managed
from reconciler.kube.media import APPLY, JSON_PATCH, MERGE_PATCH
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.patch import PatchError, json_patch, merge_patch, strategic_merge
from reconciler.sandbox import content
from reconciler.sandbox.goscalars import kind_of
from reconciler.sandbox.refusals import Refusal, bad_request, conflict, internal, invalid, unsupported_media_type
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.store import Entry
from reconciler.sandbox.tables.column import dig
from reconciler.sandbox.verbs import patch, write
from reconciler.sandbox.verbs.call import Call
from reconciler.sandbox.verbs.scale_owners import of_parent, of_scale

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
    path = _path(kind, "specReplicasPath", "spec.replicas")
    if call.request.method == "GET":
        if kind.custom and dig(old, *path) is None:
            why = f'Internal error occurred: the spec replicas field ".{".".join(path)}" does not exist'
            raise Refusal(500, "InternalError", why, {"causes": [{"message": why}]})
        return call.respond(before)
    if content.media_type(call.request.headers) == APPLY:
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
    _check_replicas(call, replicas)
    parent = managed.read(old)
    owners = of_scale(parent, path)
    fields = structured.update(
        _owned(before, owners),
        after if replicas else {**after, "spec": {}},  # there is no zero in a Scale
        call.core.registry.catalog.schema(SCALE),
        manager=call.manager,
        api_version=SCALE.api_version,
        time=_NO_TIME,
        subresource="scale",
    )
    return _store(call, entry, old, replicas, of_parent(parent, fields, path, kind.api_version))


def _store(call: Call, entry: Entry, old: Value, replicas: int, fields: list[Value]) -> Response:
    new = _with(old, _path(call.kind, "specReplicasPath", "spec.replicas"), replicas)
    call.kind.codec.default(new)  # what now is there may have fields that are filled in
    about = {name: part for name, part in new["metadata"].items() if name != "managedFields"}
    new["metadata"] = {**about, **({"managedFields": fields} if fields else {})}
    return call.respond(_seen(call.kind, write.update(call.core, call.kind, entry, old, new, dry_run=call.dry_run)))


def _owned(scale: Value, owners: list[Value]) -> Value:
    return {**scale, "metadata": {**scale["metadata"], **({"managedFields": owners} if owners else {})}}


def _check_body(call: Call) -> None:
    """Refuse (400) what is no Scale, or another object's."""
    body = call.body()
    stated = (body.get("apiVersion", SCALE.api_version), body.get("kind", SCALE.kind)) if isinstance(body, dict) else ()
    if stated != (SCALE.api_version, SCALE.kind):
        raise bad_request(f"{stated} cannot be handled as a Scale")
    name = (body.get("metadata") or {}).get("name")
    if name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")


def _wanted(call: Call, before: Value) -> Value:
    media = content.media_type(call.request.headers)
    if call.request.method == "PUT":
        after = call.body()
    else:
        document = content.decode_json(call.request.body)
        try:
            if media == JSON_PATCH:
                after = json_patch(before, document)
            elif media == MERGE_PATCH:
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
    if not isinstance(document, dict) or document.get("kind") != SCALE.kind:
        raise bad_request("invalid object type: a Scale is expected")
    spec = document.get("spec") or {}
    replicas = spec.get("replicas")
    if replicas is not None and (isinstance(replicas, bool) or not isinstance(replicas, int | float)):
        raise internal("failed to create typed patch object: .spec.replicas: expected numeric (int or float)")
    path = _path(kind, "specReplicasPath", "spec.replicas")
    before, parent = _seen(kind, old), managed.read(old)
    schema = call.core.registry.catalog.schema(SCALE)
    try:
        applied = structured.apply(
            _owned(before, of_scale(parent, path)),
            document,
            schema,
            manager=patch.applier(call),
            force=call.query.get("force") in ("true", "1"),
            api_version=SCALE.api_version,
            time=_NO_TIME,
            subresource="scale",
        )
    except structured.ApplyConflict as found:
        raise Refusal(409, "Conflict", str(found), {"causes": list(found.causes)}) from None
    except structured.ApplyError as error:
        raise internal(f"failed to create typed patch object: {error}") from None
    after = applied.object
    if kind.custom and managed.without_managed_fields(after) != before:
        # As the real server, which makes of the Scale an object of a version that it does not know.
        raise internal("failed to convert new object to proper version: autoscaling/v1, Kind=Scale")
    about = document.get("metadata") or {}
    _check_applied(call, about, old)
    replicas = int((after.get("spec") or {}).get("replicas") or 0)
    _check_replicas(call, replicas)
    fields = after["metadata"].get("managedFields") or []
    return _store(call, entry, old, replicas, of_parent(parent, fields, path, kind.api_version))


def _check_applied(call: Call, about: Value, old: Value) -> None:
    """Refuse a Scale of another name (400) or of another revision (409)."""
    if about.get("name") != call.name:
        why = f"the name of the object ({about.get('name')}) does not match the name on the URL ({call.name})"
        raise bad_request(why)
    if about.get("resourceVersion", "") not in ("", old["metadata"]["resourceVersion"]):
        raise conflict(call.kind.group, call.kind.plural, call.name, write.MODIFIED)


def _check_replicas(call: Call, replicas: int) -> None:
    if replicas < 0 and not call.kind.custom:
        causes = Causes()
        causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(SCALE.group_kind, call.name, causes)


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
