"""The three patch types of the API besides server-side apply. No function changes what it is given.

JSON Patch is RFC 6902, JSON merge patch RFC 7386. Strategic merge patch follows Kubernetes' documented directives:
`$patch`, `$retainKeys`, `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from reconciler.kube.schema import Schema

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"


class PatchError(ValueError):
    """The patch is malformed or does not fit the document."""


class UnusablePatch(PatchError):
    """Directives that mean nothing or contradict each other; the API server calls that its own fault (500)."""


def merge_patch(doc: Any, patch: Any) -> Any:
    """RFC 7386: objects are merged, null deletes, anything else replaces; in lists no object has a null either.

    That last one is in the API server's library.
    """
    if isinstance(patch, list):
        return [merge_patch(None, item) if isinstance(item, Mapping | list) else item for item in patch]
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(doc) if isinstance(doc, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(doc: Any, ops: Any) -> Any:
    """RFC 6902: all operations in order, or PatchError and none of them."""
    if not isinstance(ops, Sequence) or isinstance(ops, str):
        raise PatchError("a JSON patch is a list of operations")
    result = deepcopy(doc)
    for op in ops:
        if not isinstance(op, Mapping):
            raise PatchError("an operation is an object")
        result = _operate(result, op)
    return result


def _operate(doc: Any, op: Mapping[str, Any]) -> Any:
    path = _pointer(op.get("path"))
    match op.get("op"):
        case "add":
            return _add(doc, path, deepcopy(_value(op)))
        case "remove":
            return _remove(doc, path)
        case "replace":
            return _replace(doc, path, deepcopy(_value(op)))
        case "move":
            source = _pointer(op.get("from"))
            if path[: len(source)] == source and len(path) > len(source):
                raise PatchError(f"cannot move {op['from']} into itself")
            moved = _get(doc, source)
            return _add(_remove(doc, source), path, moved)
        case "copy":
            return _add(doc, path, deepcopy(_look(doc, _pointer(op.get("from")))))
        case "test":
            if not _equal(_look(doc, path), op.get("value")):
                raise PatchError(f"testing value {op['path']} failed")
            return doc
        case other:
            raise PatchError(f"unexpected operation: {other!r}")


def _value(op: Mapping[str, Any]) -> Any:
    if "value" not in op:
        raise PatchError(f"operation {op.get('op')} needs a value")
    return op["value"]


def _equal(a: Any, b: Any) -> bool:
    """JSON equality: unlike Python's, true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def _pointer(text: Any) -> tuple[str, ...]:
    """RFC 6901."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"invalid JSON pointer: {text!r}")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _index(part: str, length: int) -> int:
    if not (part.isascii() and part.isdigit()) or (part[0] == "0" and part != "0") or int(part) >= length:
        raise PatchError(f"invalid list index: {part}")
    return int(part)


def _get(doc: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if isinstance(doc, dict) and part in doc:
            doc = doc[part]
        elif isinstance(doc, list):
            doc = doc[_index(part, len(doc))]
        else:
            raise PatchError(f"no such path: /{'/'.join(path)}")
    return doc


def _look(doc: Any, path: tuple[str, ...]) -> Any:
    """What is there, null where an object lacks the last name: what it is in lies in the API server's library."""
    parent = _get(doc, path[:-1])
    return parent.get(path[-1]) if path and isinstance(parent, dict) else _get(doc, path)


def _add(doc: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(doc, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        raise PatchError(f"no such path: /{'/'.join(path)}")
    return doc


def _replace(doc: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(doc, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value  # a name that is not there is added, as with `_look`
    else:
        _get(parent, (last,))
        parent[_index(last, len(parent))] = value
    return doc


def _remove(doc: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return None
    parent, last = _get(doc, path[:-1]), path[-1]
    _get(parent, (last,))
    if isinstance(parent, dict):
        del parent[last]
    else:
        del parent[_index(last, len(parent))]
    return doc


def strategic_merge(doc: Any, patch: Any, schema: Schema) -> Any:
    """A strategic merge patch: lists with a merge key or of scalars are merged where the schema says so."""
    if not isinstance(patch, Mapping):
        raise PatchError("a strategic merge patch is an object")
    return _merge_map(doc if isinstance(doc, Mapping) else {}, patch, schema)


def _merge_map(doc: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive == "replace":
        whole: dict[str, Any] = _whole(patch)
        return whole
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise UnusablePatch(f"unknown patch directive: {directive!r}")
    merged = dict(doc)
    if _RETAIN in patch:
        merged = _retained(merged, patch)
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN):
            continue
        if isinstance(value, list) and isinstance(order := patch.get(_ORDER + key), list):
            _check_order(value, order, schema.member(key).merge_key)
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            if isinstance(merged.get(name), list):
                merged[name] = [item for item in merged[name] if item not in value]
        elif key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if name not in patch and isinstance(merged.get(name), list):
                merged[name] = _ordered(merged[name], merged[name], value, schema.member(name).merge_key)
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping | list) and isinstance(merged.get(key), type(value)):
            merged[key] = _merge_value(merged[key], value, schema.member(key), patch.get(_ORDER + key))
        elif not _is_directive(value):
            merged[key] = _whole(value)
            if _ORDER + key in patch:
                merged[key] = _ordered(merged[key], [], patch[_ORDER + key], schema.member(key).merge_key)
    return merged


def _is_directive(value: Any) -> bool:
    return isinstance(value, Mapping) and _PATCH in value


def _whole(value: Any) -> Any:
    """A value that is not merged with anything: what its directives would remove is not there."""
    if isinstance(value, Mapping):
        return {
            key: _whole(member)
            for key, member in value.items()
            if member is not None and not _is_directive(member) and not key.startswith("$")
        }
    if isinstance(value, list):
        return [_whole(item) for item in value if not _is_directive(item)]
    return value


def _retained(doc: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`doc` with only the fields that `$retainKeys` names; it must name all that the patch sets."""
    retain = patch[_RETAIN]
    if not isinstance(retain, list):
        raise PatchError(f"{_RETAIN} is a list of names")
    for key, value in patch.items():
        if value is not None and not key.startswith("$") and key not in retain:
            raise PatchError(f"{_RETAIN} leaves out {key}, which the patch sets")
    return {key: value for key, value in doc.items() if key in retain}


def _merge_value(live: Any, patch: Any, schema: Schema, order: Any) -> Any:
    """Of two objects or two lists."""
    strategies = schema.merge_strategy.split(",")
    if isinstance(patch, Mapping):
        return _whole(patch) if "replace" in strategies else _merge_map(live, patch, schema)
    if "merge" not in strategies:
        return _whole(patch)
    if len({_kind(item) for item in (*live, *patch)}) > 1:
        raise UnusablePatch("list element types are not identical")
    if schema.merge_key:
        return _merge_items(live, patch, schema, order)
    merged = [*live, *(item for i, item in enumerate(patch) if item not in live and item not in patch[:i])]
    return _ordered(merged, live, patch if order is None else order, "")


def _kind(item: Any) -> type:
    return dict if isinstance(item, Mapping) else type(item)


def _merge_items(live: list[Any], patch: list[Any], schema: Schema, order: Any) -> list[Any]:
    """A list of objects, by their merge key."""
    name, element = schema.merge_key, schema.item
    if not all(isinstance(item, Mapping) for item in patch):
        raise UnusablePatch("an item of a list with a merge key is an object")
    plain = [item for item in patch if item.get(_PATCH) in (None, "merge")]
    if any(item.get(_PATCH) == "replace" for item in patch):
        return [_whole(item) for item in plain]
    if any(name not in item for item in patch):
        raise UnusablePatch(f"an item of a list does not contain its merge key {name}")
    dropped = [item[name] for item in patch if item.get(_PATCH) == "delete"]
    live = [item for item in live if not isinstance(item, Mapping) or item.get(name) not in dropped]
    merged = list(live)
    for item in plain:
        for i, other in enumerate(merged):
            if isinstance(other, Mapping) and name not in other:
                raise UnusablePatch(f"an item of a list does not contain its merge key {name}")
            if isinstance(other, Mapping) and other[name] == item[name]:
                merged[i] = _merge_map(other, item, element)
                break
        else:
            merged.append(_whole(item))
    return _ordered(merged, live, plain if order is None else order, name)


def _check_order(items: list[Any], order: list[Any], key: str) -> None:
    """What a patch's list states comes in the order that the patch sets."""
    wanted = iter([item.get(key) if key and isinstance(item, Mapping) else item for item in order])
    for item in items:
        mark = item.get(key) if key and isinstance(item, Mapping) else item
        if isinstance(item, Mapping) and item.get(_PATCH) is not None:
            continue
        if mark not in wanted:
            raise UnusablePatch(f"the order in the patch's list does not match {_ORDER}: {mark}")


def _ordered(items: list[Any], live: list[Any], order: Any, key: str) -> list[Any]:
    """`items`, those that `order` names in its order.

    One that it does not name comes before the next named one if it stood before it in `live`; otherwise after.
    """
    if not isinstance(order, list):
        raise UnusablePatch(f"{_ORDER}… is a list")

    def mark(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, Mapping) else item

    ranks, places = [mark(item) for item in order], [mark(item) for item in live]

    def place(item: Any) -> int:
        return places.index(mark(item)) if mark(item) in places else -1

    others = sorted((item for item in items if mark(item) not in ranks), key=place)
    result: list[Any] = []
    for item in sorted((item for item in items if mark(item) in ranks), key=lambda item: ranks.index(mark(item))):
        while others and 0 <= place(others[0]) < place(item):
            result.append(others.pop(0))
        result.append(item)
    return result + others
