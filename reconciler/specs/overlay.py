"""One identity in several layers: later documents merged over earlier ones, and the way back to who stated what."""

from collections.abc import Sequence
from typing import Any, Final

from reconciler.kube.patch import merge_patch, strategic_merge
from reconciler.kube.schema import Schema
from reconciler.specs.place import Path

JSON = Any

# By these fields lists of objects are merged somewhere in Kubernetes or in our kinds.
_KEYS: Final = ("name", "containerPort", "port", "mountPath", "devicePath", "key", "ip", "topologyKey", "type", "uid")


def without_nulls(value: JSON) -> JSON:
    """`value` without the fields that are null: null is absent. The same object where there are none."""
    return _rebuilt(value) if isinstance(value, dict | list) and _has_null(value) else value


def _rebuilt(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    return [without_nulls(item) for item in value]


def _has_null(value: dict[str, JSON] | list[JSON]) -> bool:
    """Whether a field inside is null. Asked of every document, and nearly always false."""
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict) and None in children:
        return True
    return any(_has_null(child) for child in children if child.__class__ is dict or child.__class__ is list)


def merged(values: Sequence[dict[str, JSON]], schema: Schema | None) -> dict[str, JSON]:
    """`values` one over the other as strategic merge patches; as JSON merge patches where the kind is not known.

    Raises reconciler.kube.patch.PatchError where a later one does not fit.
    """
    result: dict[str, JSON] = without_nulls(values[0])
    if len(values) == 1:
        return result
    for value in values[1:]:
        result = strategic_merge(result, value, schema) if schema is not None else merge_patch(result, value)
    cleaned: dict[str, JSON] = without_nulls(result)
    return cleaned


def source_of(path: Path, result: JSON, values: Sequence[dict[str, JSON]], *, first: bool = False) -> tuple[int, Path]:
    """Which of `values` stated what is at `path` in the merged `result`, and the path to it there.

    The last one that states it (with `first` the first); where none does, the one that comes closest.
    """
    best, found = 0, _follow(path, result, values[0])
    for number, value in enumerate(values[1:], 1):
        other = _follow(path, result, value)
        if len(other) > len(found) or (len(other) == len(path) and not first):
            best, found = number, other
    return best, found


def _follow(path: Path, result: JSON, own: JSON) -> Path:
    followed: Path = ()
    for step in path:
        if isinstance(step, str):
            if not isinstance(own, dict) or step not in own:
                break
            own, result = own[step], result.get(step) if isinstance(result, dict) else None
            followed = (*followed, step)
        else:
            item = result[step] if isinstance(result, list) and step < len(result) else None
            at = _find(item, own) if isinstance(own, list) else -1
            if at < 0:
                break
            own, result = own[at], item
            followed = (*followed, at)
    return followed


def _find(item: JSON, items: list[JSON]) -> int:
    if item in items:
        return items.index(item)
    for key in _KEYS:
        if isinstance(item, dict) and key in item:
            for at, other in enumerate(items):
                if isinstance(other, dict) and other.get(key) == item[key]:
                    return at
    return -1
