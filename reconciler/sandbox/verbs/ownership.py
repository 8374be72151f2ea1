"""What each write does to `metadata.managedFields`."""

from functools import lru_cache
from typing import Any

from reconciler.kube import apply as structured
from reconciler.kube.fieldset import EMPTY, Field, FieldSet
from reconciler.kube.kinds import DEPLOYMENT
from reconciler.sandbox.refusals import Refusal, bad_request, internal
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.verbs.call import Call

Value = dict[str, Any]


def record(call: Call, old: Value | None, new: Value) -> None:
    """Write into `new` who owns its fields after a write that is not an apply."""
    stated = {name: part for name, part in new.items() if part != {} or name not in call.kind.codec.kept_empty}
    fields = structured.update(
        old,
        stated if old is not None else {name: part for name, part in stated.items() if part is not None},
        call.kind.schema,
        manager=call.manager,
        api_version=call.kind.api_version,
        time=call.core.now(),
        subresource=call.route.subresource,
        reset=reset_of(call.kind, call.route.subresource),
        nothing=call.kind.codec.empty(),
    )
    if fields:
        new["metadata"]["managedFields"] = fields
    else:
        new["metadata"].pop("managedFields", None)


def apply(
    call: Call, old: Value | None, applied: Value, *, manager: str, time: str | None = None
) -> tuple[Value, bool]:
    """The object after a server-side apply, and whether that changed anything. Raises Refusal (400, 409, 500)."""
    force = call.query.get("force") in ("true", "1")
    try:
        result = structured.apply(
            old,
            applied,
            call.kind.schema,
            manager=manager,
            force=force,
            api_version=call.kind.api_version,
            time=call.core.now() if time is None else time,
            subresource=call.route.subresource,
            reset=reset_of(call.kind, call.route.subresource),
            nothing=call.kind.codec.empty(),
        )
    except structured.ApplyConflict as conflict:
        raise Refusal(409, "Conflict", str(conflict), {"causes": list(conflict.causes)}) from None
    except structured.ApplyError as error:
        if "managedFields" in str(error):
            raise bad_request(str(error)) from None
        kind = call.kind
        where = f"({call.namespace}/{call.name}; {kind.api_version}, Kind={kind.resource.kind})"
        raise internal(f"failed to create typed patch object {where}: {error}") from None
    return result.object, result.changed


def reset_of(kind: Kind, subresource: str) -> FieldSet:
    """The fields that an endpoint does not let its callers own."""
    return _reset(kind.has_status, kind.custom, kind.group_kind == DEPLOYMENT, subresource)


@lru_cache(maxsize=64)
def _reset(has_status: bool, custom: bool, deployment: bool, subresource: str) -> FieldSet:
    spec, status, metadata = Field("spec"), Field("status"), Field("metadata")
    if subresource == "status":
        if custom:
            return FieldSet.from_paths((spec,), (metadata,))
        if deployment:
            return FieldSet.from_paths((spec,), (metadata, Field("labels")))
        return FieldSet.from_paths((spec,))
    return FieldSet.from_paths((status,)) if has_status and not subresource else EMPTY
