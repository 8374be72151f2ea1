"""What one manager owns in a live object, as one hash: it changes when somebody edits, deletes or takes it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.diff.managers import applied
from reconciler.model.change import Live
from reconciler.redact import is_secret

_OTHERS: tuple[str, ...] = ("managedFields", "resourceVersion", "generation")


def fingerprint(live: Live, manager: str) -> str:
    """SHA-256 over the fields that `manager` applied and their values; over all that is stated where it applied none.

    Of a Secret it is over uid and resourceVersion: a hash of a short value would give it away.
    """
    ours = applied(live, manager)
    if is_secret(live.object):
        what: object = [live.uid, live.resource_version]
    elif ours is not None:
        what = [[path, value] for path, value in _leaves(ours.fields, live.object)]
    else:
        metadata = {key: value for key, value in live.metadata.items() if key not in _OTHERS}
        what = {**live.object, "metadata": metadata, "status": None}
    text = json.dumps([live.uid, what], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _leaves(fields: Mapping[str, Any], value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each field of FieldsV1 that has none below it, with its value; None where there is none any more."""
    for part, below in sorted(fields.items()):
        if part == ".":
            continue
        there = _member(value, part)
        if below.keys() - {"."}:
            yield from _leaves(below, there, f"{path}/{part}")
        else:
            yield f"{path}/{part}", there


def _member(value: Any, part: str) -> Any:
    kind, text = part[:2], part[2:]
    if kind == "f:":
        return value.get(text) if isinstance(value, Mapping) else None
    if not isinstance(value, list):
        return None
    if kind == "i:":
        return value[int(text)] if int(text) < len(value) else None
    key = json.loads(text)
    if kind == "v:":
        return key if key in value else None
    fits = (item for item in value if isinstance(item, Mapping) and all(item.get(k) == v for k, v in key.items()))
    return next(fits, None)
