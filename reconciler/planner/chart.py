"""Demand over time with its forecast and the replicas for it, as lines."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.planner.drawing import Drawing, Line, Shape, Words

if TYPE_CHECKING:
    from reconciler.planner.curves import Curve  # arrays come with it

DEMAND: Final = "#3b78e7"
READY: Final = "#b06000"
REPLICAS: Final = "#1e8e3e"
_AXIS: Final = "#9aa0a6"
_WIDTH: Final = 960
_LEFT: Final = 120
_TOP: Final = 44
_HEIGHT: Final = 120
_POINTS: Final = 288


def chart(name: str, curve: "Curve") -> Drawing:
    """Of one workload. A value on the same height means that the replicas carry the demand."""
    count = len(curve.ready)
    highest = max([*curve.demand, *(v for v in (*curve.ready, *curve.carried) if v is not None), 1e-9])
    end = curve.begin + timedelta(seconds=curve.step * (count - 1))
    floor = float(_TOP + _HEIGHT)
    shapes: list[Shape] = [
        Words(0, 16, f"{name}: demand, its forecast, and the replicas that this asks for", 14, bold=True),
        Words(0, 34, f"forecast by {curve.rule}; {curve.carrying.words}", 11),
        Words(0, _TOP + 10, f"{highest:.3g}", 11),
        Words(0, floor, "0", 11),
        Line(((_LEFT, floor), (_WIDTH, floor)), _AXIS),
        Words(_LEFT, floor + 16, f"{curve.begin:%d %b %H:%M} UTC", 11),
        Words(_WIDTH - 110, floor + 16, f"{end:%d %b %H:%M} UTC", 11),
    ]
    title = f"replicas, {_last(curve.replicas)} at the end"
    shapes += _lines(curve.carried, count, highest, REPLICAS, title, steps=True)
    shapes += _lines(curve.ready, count, highest, READY, "forecast", dashes=6)
    shapes += _lines(curve.demand, count, highest, DEMAND, "demand")
    x = _LEFT + 150.0
    for colour, words in ((DEMAND, "demand"), (READY, "forecast"), (REPLICAS, "what the replicas carry")):
        shapes.append(Line(((x, floor + 12), (x + 20, floor + 12)), colour, 6 if colour == READY else 0))
        shapes.append(Words(x + 26, floor + 16, words, 11))
        x += 110
    about = f"{name}: the highest demand is {max(curve.demand):.3g}; {_last(curve.replicas)} replicas at the end"
    return Drawing(_WIDTH, round(floor + 36), tuple(shapes), about)


def _last(replicas: Sequence[int | None]) -> int:
    return next((n for n in reversed(replicas) if n is not None), 0)


def _lines(
    values: Sequence[float | None],
    count: int,
    highest: float,
    stroke: str,
    title: str,
    *,
    dashes: int = 0,
    steps: bool = False,
) -> Iterator[Line]:
    """What is known, at most so many points: of several beside each other the highest."""
    each = max(1, -(-len(values) // _POINTS))
    points: list[tuple[float, float]] = []
    for begin in range(0, len(values), each):
        known = [value for value in values[begin : begin + each] if value is not None]
        if not known:
            continue
        x = _LEFT + (_WIDTH - _LEFT) * begin / max(1, count - 1)
        y = _TOP + _HEIGHT * (1 - max(known) / highest)
        if steps and points and points[-1][1] != y:
            points.append((x, points[-1][1]))
        points.append((x, y))
    if len(points) > 1:
        yield Line(tuple(points), stroke, dashes, title)
