"""Who wrote a field of a live object, as its managedFields say. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.kube import fieldset
from reconciler.model.change import Live
from reconciler.model.drift import Author


def owners(live: Live, path: str) -> tuple[Author, ...]:
    """The managers that own the field at `path` (as in `FieldChange.path`), something in it or all around it.

    The latest first. Empty where nobody owns it: a field that is not there any more has no owner.
    """
    found = [
        _author(entry)
        for entry in live.metadata.get("managedFields") or ()
        if _owns(entry.get("fieldsV1") or {}, f".{path}")
    ]
    return tuple(sorted(found, key=_latest_first))


def writers(live: Live) -> tuple[Author, ...]:
    """All managers of the object, the latest first."""
    return tuple(sorted((_author(entry) for entry in live.metadata.get("managedFields") or ()), key=_latest_first))


def _latest_first(author: Author) -> tuple[float, str, str]:
    return (-author.time.timestamp() if author.time else 0.0, author.manager, author.operation)


def _author(entry: Mapping[str, Any]) -> Author:
    try:
        time = datetime.fromisoformat(str(entry.get("time")))
    except ValueError:
        time = None
    return Author(
        str(entry.get("manager") or "somebody"),
        str(entry.get("operation") or ""),
        time if time is not None and time.tzinfo is not None else None,
        str(entry.get("subresource") or ""),
    )


def _owns(node: Mapping[str, Any], text: str) -> bool:
    """Whether FieldsV1 `node` owns what `text`, the rest of a path, leads to. Names may hold dots: all ways count."""
    for part, inside in node.items():
        if part == "." or (element := fieldset.decode(part)) is None:
            continue
        shown = fieldset.render((element,))
        piece = shown if shown.startswith("[") else f".{shown}"
        if not text.startswith(piece):
            continue
        rest = text[len(piece) :]
        if not rest or (rest[0] in ".[" and (not inside or _owns(inside, rest))):
            return True
    return False
