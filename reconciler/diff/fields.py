"""Which fields differ, one by one: what `reconciler.diff.unchanged` doubts is looked at here.

What Git states is compared with what the cluster has, and with what our field manager owns. That which Git does not
state and we do not own is nobody's business here: defaults, other managers' fields, status.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Final

from reconciler.diff.atomic import holds
from reconciler.diff.paths import Path, is_items, is_map, keys_of, owns, step
from reconciler.kube.fieldset import item_key
from reconciler.kube.schema import Schema, Shape
from reconciler.model.change import ABSENT
from reconciler.model.manifest import ANNOTATION_ORIGIN

Object = Mapping[str, Any]


class Kind(Enum):
    """What happened to a field."""

    CHANGED = auto()  # stated, and live it is different or absent
    LOST = auto()  # stated and equal, but no longer ours
    REMOVED = auto()  # ours and no longer stated: an apply takes it away
    RELEASED = auto()  # ours and no longer stated, but somebody else's too: an apply leaves the value


@dataclass(frozen=True, slots=True)
class Difference:
    """One field. `holders` are other field managers that own it or part of it."""

    path: Path
    kind: Kind
    before: Any
    after: Any
    holders: tuple[str, ...] = ()


class _Everything(dict[str, Any]):
    """FieldsV1 of whoever owns all that is asked for: where ownership is not the question."""

    def get(self, _key: str, _default: Any = None) -> Any:
        return self

    def __bool__(self) -> bool:
        return True


EVERYTHING: Final[Object] = _Everything()
_NAMES: Final = frozenset({("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")})
_ORIGIN: Final = ("f:metadata", "f:annotations", f"f:{ANNOTATION_ORIGIN}")
_STATUS: Final = ("f:status",)
_ADDRESSES: Final = frozenset({("f:spec", "f:clusterIP"), ("f:spec", "f:healthCheckNodePort")})
_DEFAULT_METRICS: Final = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
]  # of a HorizontalPodAutoscaler
_ORDERED: Final = frozenset({"f:containers", "f:env", "f:initContainers"})  # keyed lists whose order means something


def differences(
    desired: Object,
    live: Object,
    schema: Schema,
    owned: Object,
    others: Sequence[tuple[str, Object]] = (),
) -> list[Difference]:
    """Everything that differs, in the order of paths.

    `owned` is our FieldsV1 in `live` (`EVERYTHING` to leave ownership out of it), `others` those of all other managers,
    with their names. Differences of the origin annotation alone are none (rule 7).
    """
    found = list(_Walk(others).map((), desired, live, schema, owned))
    return sorted(found, key=lambda difference: difference.path)


@dataclass(frozen=True, slots=True)
class _Walk:
    others: Sequence[tuple[str, Object]]

    def map(self, path: Path, desired: Object, live: Object, schema: Schema, owned: Object) -> Iterator[Difference]:
        stated = set()
        for name, value in desired.items():
            part = "f:" + name
            stated.add(part)
            if value is None or _passed_over((*path, part), owned):
                continue
            if not value and isinstance(value, dict | list) and part in owned and live.get(name, ABSENT) is None:
                continue  # what an apply empties by taking all of ours away, the server may store as null
            yield from self.node((*path, part), value, live.get(name), schema.member(name), owned.get(part))
        yield from self.unstated(path, stated, live, schema, owned)

    def node(self, path: Path, value: Any, live: Any, schema: Schema, owned: Object | None) -> Iterator[Difference]:
        if live is None:
            if not left_out(value, schema, owned):
                yield Difference(path, Kind.CHANGED, ABSENT, value, self.holders(path))
        elif value and is_map(schema, value) and isinstance(live, dict):
            yield from self.map(path, value, live, schema, owned or {})
        elif value and is_items(schema, value) and isinstance(live, list):
            yield from self.items(path, value, live, schema, owned or {})
        elif not value and (is_map(schema, value) or is_items(schema, value)) and type(value) is type(live):
            yield from self.unstated(path, set(), live, schema, owned or {})
        elif not holds(value, live, schema) and not _left_to_the_server(path, value, live):
            yield Difference(path, Kind.CHANGED, live, value, self.holders(path))
        elif owned is None:
            yield Difference(path, Kind.LOST, live, value, self.holders(path))

    def items(
        self, path: Path, desired: list[Any], live: list[Any], schema: Schema, owned: Object
    ) -> Iterator[Difference]:
        inner = schema.item
        wanted, there = _grouped(desired, schema), _grouped(live, schema)
        for part, stated in wanted.items():
            found = there.get(part)
            at = (*path, part)
            if found is None:
                yield from (Difference(at, Kind.CHANGED, ABSENT, item, self.holders(at)) for item in stated)
            elif len(stated) == len(found) == 1:
                yield from self.node(at, stated[0], found[0], inner, owned.get(part))
            elif len(stated) != len(found) or not all(map(partial(self._holds, inner), stated, found)):
                # Twice the same key: nobody owns the inside of such items, they count as one.
                yield Difference(at, Kind.CHANGED, found, stated, self.holders(at))
        if path[-1] in _ORDERED:
            order = [part for part in there if part in wanted]
            if order != [part for part in wanted if part in there]:
                yield Difference(path, Kind.CHANGED, _names(order), _names(wanted), self.holders(path))
        yield from self.unstated(path, set(wanted), live, schema, owned)

    def _holds(self, schema: Schema, stated: Any, found: Any) -> bool:
        return next(self.node((), stated, found, schema, EVERYTHING), None) is None

    def unstated(self, path: Path, stated: set[str], live: Any, schema: Schema, owned: Object) -> Iterator[Difference]:
        """What we own in a map or a list beyond the parts that are `stated`."""
        for part, inside in owned.items():
            if part == "." or part in stated:
                continue
            try:
                value, inner = step(live, schema, part)
            except KeyError:
                continue  # owned by the letter only: there is nothing to take away
            yield from self.dropped((*path, part), value, inner, inside)

    def dropped(self, path: Path, live: Any, schema: Schema, owned: Object) -> Iterator[Difference]:
        item = not path[-1].startswith("f:")  # an item goes as a whole, unless somebody else owns the item itself
        holders = self.holders(path, itself=item)
        shared = holders if item else holders or schema.shape is not Shape.STRUCT
        if shared and any(part != "." for part in owned):  # part of it may stay: say which goes
            yield from self.unstated(path, set(), live, schema, owned)
        else:
            yield Difference(path, Kind.RELEASED if holders else Kind.REMOVED, live, ABSENT, holders)

    def holders(self, path: Path, *, itself: bool = False) -> tuple[str, ...]:
        """The other managers that own the field, or anything in it unless `itself` is asked for."""
        return tuple(sorted({name for name, fields in self.others if owns(fields, path, itself=itself)}))


def left_out(value: Any, schema: Schema, owned: Object | None) -> bool:
    """Whether the server may have taken `value` and not stored it, because it or all in it is empty.

    That the field is still ours says that nobody removed it; an empty list of shared items has no owner in any case.
    """
    if value and is_map(schema, value):
        inside = owned or {}
        return all(left_out(part, schema.member(name), inside.get("f:" + name)) for name, part in value.items())
    return not value and schema.shape is not Shape.UNTYPED and (owned is not None or is_items(schema, value))


def _passed_over(path: Path, owned: Object) -> bool:
    """The object's name, its origin, and a `status` that the server did not take from us."""
    return path in _NAMES or path == _ORIGIN or (path == _STATUS and path[0] not in owned)


def _left_to_the_server(path: Path, value: Any, live: Any) -> bool:
    """Whether what is stated means: choose for me."""
    if path == ("f:spec", "f:metrics"):
        return bool(value == [] and live == _DEFAULT_METRICS)
    service = path in _ADDRESSES or (path[:2] == ("f:spec", "f:ports") and path[-1] == "f:nodePort")
    return service and value in ("", 0)


def _names(parts: Iterable[str]) -> list[Any]:
    """Items in their order, each by its key alone."""
    return [next(iter(keys_of(part).values()), part) if part[0] == "k" else part for part in parts]


def _grouped(values: list[Any], schema: Schema) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for value in values:
        groups.setdefault(item_key(value, schema), []).append(value)
    return groups
