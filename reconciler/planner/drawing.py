"""Nodes and what is requested of them, as boxes and words: drawn in the page, or as an image (`raster`).

Lengths are in pixels, from the left and from the top. A row for each resource before and after, a column for each node,
by pool and zone; where there are more nodes than columns, one column is the mean of several.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from reconciler.model.planned import Share, place
from reconciler.planner.loads import RESOURCES, NodeLoad
from reconciler.plural import counted

COLUMNS: Final = 80
_HEAT: Final = "Requested of each node, now and as planned"
_GROUPS: Final = 40
_WIDTH: Final = 960
_LEFT: Final = 120  # for the names of rows
_ROW: Final = 22
_GAP: Final = 6  # between groups, and between resources
_WIDEST: Final = 56  # of a column, but where the head above needs more
_LONGEST: Final = 48  # letters of a name
LETTER: Final = 6.2  # the width of one, about
_EMPTY: Final = (232, 239, 247)
_FULL: Final = (8, 64, 129)
_OVER: Final = "#b3261e"
_AWAY: Final = "#9aa0a6"


class Box(NamedTuple):
    """A rectangle of one colour. `title` says what it stands for."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    title: str = ""


class Words(NamedTuple):
    """`x` and `y` are where the text begins, and its base line."""

    x: float
    y: float
    text: str
    size: int = 12
    bold: bool = False


class Line(NamedTuple):
    """From point to point; `dashes` are so long, and so far from each other, 0 for none."""

    points: tuple[tuple[float, float], ...]
    stroke: str
    dashes: int = 0
    title: str = ""


class Drawing(NamedTuple):
    """`about` says in words what there is to see."""

    width: int
    height: int
    shapes: tuple["Shape", ...]
    about: str


Shape = Box | Words | Line


def stacked(drawings: Sequence[Drawing]) -> Drawing:
    """One below the other."""
    shapes: list[Shape] = []
    top = 0
    for each in drawings:
        shapes += [_lowered(shape, top) for shape in each.shapes]
        top += each.height
    return Drawing(_WIDTH, top, tuple(shapes), "; ".join(each.about for each in drawings))


def _lowered(shape: Shape, by: float) -> Shape:
    if isinstance(shape, Line):
        return shape._replace(points=tuple((x, y + by) for x, y in shape.points))
    return shape._replace(y=shape.y + by)


class _Column(NamedTuple):
    """Nodes that stand beside each other."""

    names: str
    parts: dict[str, Share]
    there: bool


def heat(nodes: Sequence[NodeLoad]) -> Drawing:
    """How full each of `nodes` is and would be."""
    groups = _groups(nodes)
    each = max(1, -(-len(nodes) // (COLUMNS - len(groups))))
    columns = [(name, [_column(group[n : n + each]) for n in range(0, len(group), each)]) for name, group in groups]
    count = sum(len(group) for _, group in columns)
    room = _WIDTH - _LEFT - _GAP * len(groups)
    heads = max((LETTER * (len(name[:_LONGEST]) + 1) / len(group) for name, group in columns), default=0.0)
    width = max(1.0, min(max(_WIDEST, heads), room / max(1, count)))
    shapes: list[Box | Words] = [Words(0, 16, _HEAT, 14, bold=True)]
    y = 44.0
    shapes += _heads(columns, width, y)
    y += 8
    for resource in RESOURCES:
        if not any(resource in node.parts for node in nodes):
            continue
        for row, word in enumerate(("now", "planned")):
            shapes.append(Words(0, y + 15, f"{resource} {word}"))
            shapes += _row(columns, resource, width, y, planned=bool(row))
            y += _ROW
        y += _GAP
    shapes += _legend(y + 18)
    if each > 1:
        shapes.append(Words(_LEFT + 480, y + 28, f"one column is up to {each} nodes"))
    full = sum(any(part.planned > 0.9 for part in node.parts.values()) for node in nodes)
    about = f"{_HEAT}: {counted(len(nodes), 'node')}, {full} of them more than nine tenths full as planned"
    return Drawing(_WIDTH, round(y + 44), tuple(shapes), about)


def shade(part: float, *, there: bool = True) -> str:
    """The colour of a node of which `part` is requested."""
    if not there and part == 0:
        return _AWAY
    if part > 1 + 1e-9:
        return _OVER
    mixed = (round(a + (b - a) * max(0.0, part)) for a, b in zip(_EMPTY, _FULL, strict=True))
    return "#" + "".join(f"{each:02x}" for each in mixed)


def _groups(nodes: Sequence[NodeLoad]) -> list[tuple[str, list[NodeLoad]]]:
    """By pool and zone; by pool alone, or together, where that were too many."""
    by_pool, together = (lambda node: node.pool or "no pool"), (lambda _node: "all nodes")
    keys: tuple[Callable[[NodeLoad], str], ...] = (lambda node: place(node.pool, node.zone), by_pool, together)
    every: list[tuple[str, list[NodeLoad]]] = []
    for key in keys:
        found = sorted(nodes, key=lambda node: (key(node), node.name))
        every = [(name, list(group)) for name, group in groupby(found, key=key)]
        if len(every) <= _GROUPS:
            break
    return every


def _column(nodes: Sequence[NodeLoad]) -> _Column:
    """The mean of several."""
    parts = {}
    for resource in RESOURCES:
        found = [node.parts[resource] for node in nodes if resource in node.parts]
        if found:
            parts[resource] = Share(
                sum(each.now for each in found) / len(found), sum(each.planned for each in found) / len(found)
            )
    names = " to ".join(dict.fromkeys(node.name[:_LONGEST] for node in (nodes[0], nodes[-1])))
    return _Column(names, parts, any(node.there for node in nodes))


def _heads(columns: Sequence[tuple[str, list[_Column]]], width: float, y: float) -> Iterator[Words]:
    """The names of groups, cut to the room that they have."""
    x = float(_LEFT)
    for name, group in columns:
        most = int((len(group) * width + _GAP) / LETTER)
        shown = name if len(name) <= most else f"{name[: most - 1]}…" if most > 3 else ""
        if shown:
            yield Words(x, y, shown, 11)
        x += len(group) * width + _GAP


def _row(
    columns: Sequence[tuple[str, list[_Column]]], resource: str, width: float, y: float, *, planned: bool
) -> Iterator[Box]:
    x = float(_LEFT)
    for name, group in columns:
        for column in group:
            if (share := column.parts.get(resource)) is not None:
                part = share.planned if planned else share.now
                away = "" if column.there else ", not there"
                said = f"{column.names} ({name[:_LONGEST]}): {resource} {100 * part:.0f} %{away}"
                inner = max(1.0, width - 1) if width > 3 else width
                yield Box(round(x, 1), y, round(inner, 1), _ROW - 2, shade(part, there=column.there), said)
            x += width
        x += _GAP


def _legend(y: float) -> Iterator[Box | Words]:
    x = float(_LEFT)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield Box(x, y, 14, 14, shade(part))
        yield Words(x + 18, y + 12, f"{100 * part:.0f} %", 11)
        x += 62
    yield Box(x, y, 14, 14, _OVER)
    yield Words(x + 18, y + 12, "more", 11)
    yield Box(x + 62, y, 14, 14, _AWAY)
    yield Words(x + 80, y + 12, "not there", 11)
