"""PATCH in four types: JSON patch, merge patch, strategic merge patch and server-side apply."""

import contextlib
from typing import Any

from reconciler.http.transport import Response
from reconciler.kube import apply as structured
from reconciler.kube import patch as patches
from reconciler.kube import validate as structural
from reconciler.kube.media import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from reconciler.kube.names import GroupKind
from reconciler.sandbox import content, metadata
from reconciler.sandbox.goscalars import TypeMismatch
from reconciler.sandbox.refusals import Refusal, bad_request, conflict, internal, invalid, unsupported_media_type
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.verbs import ownership, write
from reconciler.sandbox.verbs.call import Call, mismatch_text

Value = dict[str, Any]


def patch(call: Call) -> Response:
    media = content.media_type(call.request.headers)
    if media not in accepted(call):
        raise unsupported_media_type(accepted(call))
    if media == APPLY:
        return _apply(call)
    if "force" in call.query:
        causes = Causes()
        causes.forbidden("force", "may not be specified for non-apply patch")
        raise invalid(GroupKind("meta.k8s.io", "PatchOptions"), "", causes)
    core, kind = call.core, call.kind
    entry = call.entry()
    old = core.read(entry, kind)
    new = read_patched(call, merge(call, old, media), converted=media == STRATEGIC_PATCH)
    _same_name(call, new)
    ownership.record(call, old, new)
    status = call.route.subresource == "status"
    return call.answer(write.update(core, kind, entry, old, new, dry_run=call.dry_run, status=status))


def accepted(call: Call) -> list[str]:
    """The types of patches that a kind takes."""
    return [JSON_PATCH, MERGE_PATCH, *([] if call.kind.custom else [STRATEGIC_PATCH]), APPLY]


def merge(call: Call, old: Value, media: str) -> Any:
    """The patched document. Raises Refusal (400, 422)."""
    document = content.decode_json(call.request.body)
    try:
        if media == JSON_PATCH:
            if not isinstance(document, list):
                raise bad_request("error decoding patch: a JSON patch is a list of operations")
            return patches.json_patch(old, document)
        if not isinstance(document, dict):
            raise bad_request("error decoding patch: a patch is an object")
        if media == MERGE_PATCH:
            return patches.merge_patch(old, document)
        return patches.strategic_merge(old, document, call.kind.schema)
    except patches.UnusablePatch as error:
        raise internal(str(error)) from None
    except patches.PatchError as error:
        if media == JSON_PATCH:
            raise Refusal(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}", {}
            ) from None
        raise bad_request(str(error)) from None


def read_patched(call: Call, document: Any, *, converted: bool) -> Value:
    """A patched document as a clean, completed object; what does not fit is blamed on the patch (422)."""
    unknown: list[str] = []
    try:
        clean = call.kind.codec.read(document, unknown, converted=converted)
    except TypeMismatch as mismatch:
        raise blame(mismatch_text(mismatch)) from None
    if unknown:
        try:
            call.report_unknown(unknown, "")
        except Refusal as refusal:
            raise blame(refusal.message) if refusal.code == 400 else refusal from None
    stated = (clean.get("apiVersion"), clean.get("kind"))
    expected = (call.kind.api_version, call.kind.resource.kind)
    if stated != expected:
        raise blame(f"{' '.join(map(str, stated))} is not {' '.join(expected)}")
    metadata.drop_repeated_owners(clean.setdefault("metadata", {}))
    call.kind.codec.default(clean)
    return clean


def blame(why: str) -> Refusal:
    """What a patch makes of an object cannot be read as one."""
    causes = Causes()
    causes.invalid("patch", "", why)
    return invalid(GroupKind("", ""), "", causes)


def _same_name(call: Call, value: Value) -> None:
    about = value["metadata"]
    if not about.get("name"):
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        )
    if about["name"] != call.name:
        raise bad_request(f"the name of the object ({about['name']}) does not match the name on the URL ({call.name})")
    write.place(call.kind, value, call.namespace)


def applier(call: Call) -> str:
    """The field manager of an apply, which must be named. Raises Refusal (422)."""
    if not call.query.get("fieldManager"):
        causes = Causes()
        causes.required("fieldManager", "is required for apply patch")
        raise invalid(GroupKind("meta.k8s.io", "PatchOptions"), "", causes)
    return call.manager


def _apply(call: Call) -> Response:
    core, kind = call.core, call.kind
    manager = applier(call)
    applied = content.decode_yaml(call.request.body)
    if not isinstance(applied, dict):
        raise bad_request("error decoding YAML: an object is expected")
    status = call.route.subresource == "status"
    upsert = not status or kind.rules.create_on_update
    entry = core.find(kind, call.namespace, call.name) if upsert else call.entry()
    old = core.read(entry, kind) if entry else None
    _check_applied(call, applied, old)
    about = applied["metadata"]
    merged, changed = ownership.apply(call, old, applied, manager=manager)
    new = _read_merged(call, merged)
    if old is None and about.get("uid"):
        why = f"uid mismatch: the provided object specified uid {about['uid']}, and no existing object was found"
        raise conflict(kind.group, kind.plural, call.name, why)
    _same_name(call, new)
    if old is not None and about.get("resourceVersion", "") not in ("", old["metadata"]["resourceVersion"]):
        raise conflict(kind.group, kind.plural, call.name, write.MODIFIED)
    if not changed and entry is not None:
        new = core.read(entry, kind)  # it may have become wrong without a change
    if entry is None or old is None:
        return call.answer(write.create(core, kind, new, dry_run=call.dry_run, upsert=True), 201)
    return call.answer(write.update(core, kind, entry, old, new, dry_run=call.dry_run, status=status))


def _check_applied(call: Call, applied: Value, old: Value | None) -> None:
    """Refuse what cannot be merged: another version or kind, a field that does not exist, a value of another type."""
    kind = call.kind
    if applied.get("apiVersion") != kind.api_version:
        raise bad_request(
            "Incorrect version specified in apply patch. Specified patch version: "
            f"{applied.get('apiVersion') or ''}, expected: {kind.api_version}"
        )
    if applied.get("kind") != kind.resource.kind:
        raise bad_request(f"the kind in the data ({applied.get('kind') or ''}) does not match {kind.resource.kind}")
    about = applied.get("metadata")
    if about is None:
        about = applied["metadata"] = {}
    where = f"({call.namespace}/{call.name}; {kind.api_version}, Kind={kind.resource.kind})"
    if not isinstance(about, dict):
        raise internal(
            f"failed to create typed patch object {where}: .metadata: expected map, got a {type(about).__name__}"
        )
    if old is not None and not old["metadata"].get("managedFields") and not structured.typable(old, kind.schema):
        raise internal("failed to create manager for existing fields: a list's items have no keys")
    if about.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    for path in structural.mistyped(applied, kind.schema):
        raise internal(f"failed to create typed patch object {where}: .{path}: another type is expected")
    unknown: list[str] = []
    with contextlib.suppress(TypeMismatch):  # found again when the merged object is read
        kind.codec.read(applied, unknown, applied=True)
    if unknown:
        errors = "\n".join(f".{path}: field not declared in schema" for path in unknown)
        raise internal(f"failed to create typed patch object {where}: {errors}")


def _read_merged(call: Call, merged: Value) -> Value:
    unknown: list[str] = []
    try:
        clean = call.kind.codec.read(merged, unknown, applied=True, converted=True)
    except TypeMismatch as mismatch:
        raise internal(f"failed to convert the merged object: {mismatch_text(mismatch)}") from None
    clean.setdefault("metadata", {})
    call.kind.codec.default(clean)
    return clean
