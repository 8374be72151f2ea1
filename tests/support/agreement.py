"""Whether two servers answer alike, apart from what no two servers can have in common."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sandbox_api import Answer

_FREE: Final = frozenset(
    (
        "clusterIP",
        "clusterIPs",
        "continue",
        "creationTimestamp",
        "deletionTimestamp",
        "healthCheckNodePort",
        "lastTransitionTime",
        "nodePort",
        "resourceVersion",
        "time",
        "uid",
    )
)
"""Fields whose presence counts and whose value does not."""

_UID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OWNER: Final = ("operation", "subresource", "apiVersion", "manager", "fieldsV1")  # their order follows their times
_PROGRAM: Final = {"kube-apiserver": "apiserver"}  # a manager is named for the server's binary


def comparable(value: Any) -> Any:
    """A copy in which uids, times, revisions, addresses and ports are the same everywhere."""
    match value:
        case {"managedFields": [_, *_] as owners} if all(isinstance(owner, dict) for owner in owners):
            ordered = sorted(owners, key=lambda owner: json.dumps([owner.get(name) for name in _OWNER]))
            return {**comparable({**value, "managedFields": None}), "managedFields": comparable(ordered)}
        case dict():
            return {
                _UID.sub("<uid>", key): "<free>"
                if key in _FREE and part not in ("None", ["None"])
                else comparable(part)
                for key, part in value.items()
            }
        case list():
            return [comparable(part) for part in value]
        case str():
            return _PROGRAM.get(value) or _UID.sub("<uid>", value)
    return value


def differences(sandbox: Answer, real: Answer) -> list[str]:
    """Each thing on which two answers to one request differ, as a line for people; empty where they agree.

    Where one of them is a refusal, the first line is what counts of both, the others are what they say.
    """
    if sandbox.status == real.status < 400:
        return list(_walk(comparable(sandbox.body), comparable(real.body), ""))
    if sandbox.status == real.status and not list(_walk(_refusal(sandbox), _refusal(real), "")):
        return []
    return [f"{_told(sandbox)}, the real server {_told(real)}", f"sandbox: {_said(sandbox)}", f"real: {_said(real)}"]


def _refusal(answer: Answer) -> Any:
    """What counts of a refusal: not its words."""
    if answer.body is None:
        return answer.text
    body = dict(answer.body)
    details = dict(body.get("details") or {})
    causes = {(cause.get("field", ""), cause.get("reason", "")) for cause in details.get("causes") or ()}
    details["causes"] = sorted(causes - {("<nil>", "FieldValueInvalid")})  # a field that was lost on the real server
    return comparable({"reason": body.get("reason"), "code": body.get("code"), "details": details})


def _told(answer: Answer) -> str:
    if answer.body is None or answer.status < 400:
        return f"{answer.status}"
    refusal = _refusal(answer)
    causes = " ".join(f"{field}={reason.removeprefix('FieldValue')}" for field, reason in refusal["details"]["causes"])
    return " ".join(filter(None, (str(answer.status), refusal["reason"], causes)))


def _said(answer: Answer) -> str:
    return str(answer.body.get("message")) if answer.status >= 400 and answer.body else answer.text[:400]


def _walk(sandbox: Any, real: Any, path: str) -> Iterator[str]:
    if isinstance(sandbox, dict) and isinstance(real, dict):
        for key in sorted(sandbox.keys() | real.keys()):
            if key not in sandbox:
                yield f"{path}.{key}: the sandbox lacks {_short(real[key])}"
            elif key not in real:
                yield f"{path}.{key}: the sandbox has {_short(sandbox[key])}"
            else:
                yield from _walk(sandbox[key], real[key], f"{path}.{key}")
    elif isinstance(sandbox, list) and isinstance(real, list) and len(sandbox) == len(real):
        for index, pair in enumerate(zip(sandbox, real, strict=True)):
            yield from _walk(*pair, f"{path}[{index}]")
    elif sandbox != real or type(sandbox) is not type(real):
        yield f"{path}: sandbox {_short(sandbox)}, the real server {_short(real)}"


def _short(value: Any) -> str:
    return json.dumps(value)[:200]
