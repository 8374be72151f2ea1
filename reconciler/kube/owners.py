"""Who owns a field of a live object, read from its `metadata.managedFields`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from reconciler.kube.path import Element, Field, Index, Key, Value, decode, render

Fields = Mapping[str, Any]  # a node of FieldsV1

_SELF: Final = "."
_ENDS: Final = ("", ".", "[")  # what may follow an element of a path


class FieldOwner(NamedTuple):
    """A manager that owns a field. `operation` is Apply or Update; `time` is of the manager's last change, in UTC."""

    manager: str
    operation: str
    time: datetime | None = None
    subresource: str = ""


def owners_at(obj: Mapping[str, Any], path: str) -> tuple[FieldOwner, ...]:
    """The managers that own the field at `path` or part of it, whoever wrote last first.

    `path` is as people read it: `spec.template.spec.containers[name=web].image`. A field belongs to

        whoever owns it or anything below it,
        whoever owns an atomic value around it: a part of that has no owner of its own.

    Empty where nobody owns it: it is a default, or it is gone. Where names hold dots and brackets, a path may mean
    more than one field; then all of them are meant. ValueError where managedFields are malformed.
    """
    whole = path if path.startswith("[") else f".{path}"
    found: set[FieldOwner] = set()
    around: list[tuple[int, FieldOwner]] = []
    shared: set[int] = set()  # lengths of what leads to a value that somebody owns in parts, so it is not atomic
    for entry in (obj.get("metadata") or {}).get("managedFields") or ():
        for left, node, value in _met(entry.get("fieldsV1") or {}, whole, obj):
            if left == 0:
                found.add(_owner(entry))
            elif node:
                shared.add(left)
            elif isinstance(value, Mapping | list) and value:  # whoever applied `{}` owns nothing in it
                around.append((left, _owner(entry)))
    found.update(owner for left, owner in around if left not in shared)
    return tuple(sorted(found, key=_last_first))


def _met(fields: Fields, path: str, value: Any) -> Iterator[tuple[int, Fields, Any]]:
    """The nodes on the way down `path`: how many characters of the path are left, the node, and the live value."""
    for key, below in fields.items():
        if key == _SELF or (element := decode(key)) is None:
            continue
        text = f".{render((element,))}" if isinstance(element, Field) else render((element,))
        if path.startswith(text) and path[len(text) :][:1] in _ENDS:
            rest, inner = path[len(text) :], _member(value, element)
            yield len(rest), below, inner
            if rest:
                yield from _met(below, rest, inner)


def _member(value: Any, element: Element) -> Any:
    """What `element` leads to; None where that is nothing."""
    match element, value:
        case Field(name), {}:
            return value.get(name)
        case Key(fields), list():
            # A key that an item leaves out is there by its default.
            alike = (i for i in value if isinstance(i, dict) and all(i.get(name, key) == key for name, key in fields))
            return next(alike, None)
        case Value(one), list():
            return one if one in value else None
        case Index(index), list() if index < len(value):
            return value[index]
    return None


def _owner(entry: Mapping[str, Any]) -> FieldOwner:
    return FieldOwner(
        str(entry.get("manager") or ""),
        str(entry.get("operation") or ""),
        _time(str(entry.get("time") or "")),
        str(entry.get("subresource") or ""),
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _last_first(owner: FieldOwner) -> tuple[float, str, str, str]:
    time = owner.time.timestamp() if owner.time else 0.0
    return -time, owner.manager, owner.operation, owner.subresource
