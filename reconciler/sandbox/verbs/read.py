"""GET: one object, or a list with selectors, pages and a choice of revision."""

import base64
import json
from typing import Any, Final

from reconciler.http.transport import Response
from reconciler.kube.names import GroupKind
from reconciler.sandbox.refusals import Refusal, bad_request, expired, invalid
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.store import Entry, Expired
from reconciler.sandbox.verbs.call import Call
from reconciler.sandbox.verbs.selection import select
from reconciler.sandbox.verbs.shape import shape_list

_CONTINUE_EXPIRED: Final = (
    "The continue token is too old for a consistent list. Start again without it, or go on with this answer's token: "
    "the rest of the list then shows a later state."
)


def get(call: Call) -> Response:
    entry = call.entry()
    if call.accept.shape:
        return call.answer(call.core.read(entry, call.kind))
    return call.respond(call.core.body(entry, call.kind) + b"\n")


def list_(call: Call) -> Response:
    core, kind, query = call.core, call.kind, call.query
    selection = select(core, kind, query)
    namespace = call.namespace if kind.namespaced else ""
    limit = whole_number(query.get("limit"), "limit")
    token = query.get("continue", "")
    revision, after = _start(call, token)
    bodies: list[bytes] = []
    last: Entry | None = None
    remaining = 0
    try:
        for entry in core.store.range(kind.group_kind, namespace, after=after, revision=revision):
            if limit and len(bodies) == limit:
                remaining += 1
                if selection.everything:
                    continue
                break  # whether the rest matches is not looked at: the last page may be empty
            if selection.matches(entry):
                bodies.append(core.body(entry, kind))
                last = entry
    except Expired:
        fresh = _token(core.store.revision, after) if token else ""
        raise _expired(fresh) from None
    about: dict[str, Any] = {"resourceVersion": str(revision or core.store.revision)}
    if kind.custom:
        about["continue"] = ""
    if remaining and last is not None:
        about["continue"] = _token(revision or core.store.revision, last.key)
        if selection.everything:
            about["remainingItemCount"] = remaining
    return call.respond(shape_list(call, bodies, about))


def _start(call: Call, token: str) -> tuple[int | None, str]:
    """The revision to read at (None: now) and the key to start after."""
    stated = call.query.get("resourceVersion", "")
    match = call.query.get("resourceVersionMatch", "")
    current = call.core.store.revision
    if token:
        if stated not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        try:
            found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            return int(found["rv"]), str(found["start"])
        except (ValueError, KeyError, TypeError):
            raise bad_request("continue key is not valid: the token is malformed") from None
    causes = Causes()
    if match not in ("", "Exact", "NotOlderThan"):
        causes.unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan"))
    elif match == "Exact" and stated == "0":
        causes.forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    elif match and not stated:
        causes.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
    if causes:
        raise invalid(GroupKind("meta.k8s.io", "ListOptions"), "", causes)
    revision = whole_number(stated, "resourceVersion")
    if revision > current:
        raise too_new(revision, current)
    if match == "Exact":
        return revision, ""
    return None, ""


def whole_number(text: str | None, name: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f'invalid {name}: strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def too_new(revision: int, current: int) -> Refusal:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {revision}, current: {current}"
    return Refusal(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def _token(revision: int, key: str) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": key}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _expired(token: str) -> Refusal:
    refusal = expired(_CONTINUE_EXPIRED if token else "The resourceVersion for the provided list is too old.")
    refusal.list_metadata = {"continue": token} if token else {}
    return refusal
