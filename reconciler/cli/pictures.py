"""What the status page draws, for a terminal of 80 columns: how full nodes are, and demand with its forecast."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.style import Style
from rich.text import Text

from reconciler.model.planned import place
from reconciler.planner.chart import DEMAND, READY, REPLICAS
from reconciler.planner.drawing import shade
from reconciler.planner.loads import RESOURCES, NodeLoad

if TYPE_CHECKING:
    from reconciler.planner.curves import Curve  # arrays come with it

_INDENT: Final = "     "
_ROWS: Final = 12
_CELL: Final = 7
_COLUMNS: Final = 64
_HEIGHT: Final = 8
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_FORECAST, _CARRIED = "·", "─"
_DARK: Final = 0.5  # from here on light letters are read better


def heat(before: Sequence[NodeLoad], after: Sequence[NodeLoad]) -> Iterator[Text]:
    """What was requested of each node before, and what is planned now."""
    was, then = ({node.name: node for node in each} for each in (before, after))
    nodes = sorted((was | then).values(), key=lambda node: (node.pool, node.zone, node.name))
    resources = [name for name in RESOURCES if any(name in node.parts for node in nodes)]
    where = {node.name: f"{node.name} {place(node.pool, node.zone)}" for node in nodes[:_ROWS]}
    width = max(map(len, where.values()), default=0)
    heads = [f"{resource:^{2 * _CELL}}" for resource in resources]
    yield Text(f"{_INDENT}{'':{width}}  {'  '.join(heads)}".rstrip(), "dim")
    pair = f"{'before':^{_CELL}}{'after':^{_CELL}}"
    yield Text(f"{_INDENT}{'':{width}}  {'  '.join(pair for _ in resources)}".rstrip(), "dim")
    for name, shown in where.items():
        line = Text(f"{_INDENT}{shown:{width}}")
        for resource in resources:
            line.append("  ")
            line.append_text(_cell("new" if name not in was else _share(was[name], resource, planned=False)))
            line.append_text(_cell("gone" if name not in then else _share(then[name], resource, planned=True)))
        line.rstrip()
        yield line
    if len(nodes) > _ROWS:
        yield Text(f"{_INDENT}and {len(nodes) - _ROWS} more", "dim")


def _share(node: NodeLoad, resource: str, *, planned: bool) -> float | str:
    """Which part of it is requested; "" where the node has none of it."""
    if (share := node.parts.get(resource)) is None:
        return ""
    return share.planned if planned else share.now


def _cell(part: float | str) -> Text:
    if isinstance(part, str):
        return Text(f"{part:^{_CELL}}", "dim")
    colours = Style(color="white" if part > _DARK else "black", bgcolor=Color.parse(shade(part)))
    return Text(f"{f'{100 * part:.0f} %':^{_CELL}}", colours)


def chart(curve: "Curve") -> Iterator[Text]:
    """Demand as an area, its forecast as dots, and what the replicas carry as a line, with their number at its end."""
    count = len(curve.ready)
    demand, ready, able = (_columns(values, count) for values in (curve.demand, curve.ready, curve.carried))
    highest = max((v for v in (*demand, *ready, *able) if v is not None), default=0.0) or 1.0
    rows = [[(" ", "")] * _COLUMNS for _ in range(_HEIGHT)]
    for column, value in enumerate(demand):
        eighths = round(8 * _HEIGHT * (value or 0.0) / highest)
        for row in range(_HEIGHT):
            rows[row][column] = _EIGHTHS[max(0, min(8, eighths - 8 * row))], DEMAND
    for values, mark, colour in ((ready, _FORECAST, READY), (able, _CARRIED, REPLICAS)):
        for column, value in enumerate(values):
            if value is not None:
                rows[_row(value / highest)][column] = mark, colour
    end, number = able[-1], curve.replicas[-1] if curve.replicas else None
    for row in reversed(range(_HEIGHT)):
        line = Text.assemble(_INDENT, *rows[row])
        if end is not None and row == _row(end / highest):
            line.append(f" {number} replicas", REPLICAS)
        line.rstrip()
        yield line
    yield Text(f"{_INDENT}{curve.begin:%d %b %H:%M} UTC{'now':>{_COLUMNS - 16}}", "dim")
    parts = (("█", DEMAND, "demand"), (_FORECAST, READY, "forecast"), (_CARRIED, REPLICAS, "what the replicas carry"))
    yield Text.assemble(_INDENT, *(part for mark, colour, word in parts for part in ((mark, colour), f" {word}   ")))


def _columns(values: Sequence[float | None], count: int) -> list[float | None]:
    """The highest that is known in each part of `count` steps."""
    found: list[float | None] = []
    for begin, end in pairwise(count * n // _COLUMNS for n in range(_COLUMNS + 1)):
        found.append(max((v for v in values[begin : max(end, begin + 1)] if v is not None), default=None))
    return found


def _row(part: float) -> int:
    """The row in which a part of the height lies, from below."""
    return min(_HEIGHT - 1, int(_HEIGHT * part))
