"""Demand with its forecast over time: what is drawn is what was measured and foreseen."""

import io
import math
from datetime import UTC, datetime, timedelta

from PIL import Image

from reconciler.model.demand import Demand
from reconciler.model.planning_policy import Policy
from reconciler.planner.carrying import Carrying
from reconciler.planner.chart import DEMAND, READY, REPLICAS, chart
from reconciler.planner.curves import Curve, curve
from reconciler.planner.drawing import Drawing, Line, Words, heat, stacked
from reconciler.planner.foresight import foresee
from reconciler.planner.raster import MARGIN, SCALE, png

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
READY_FOR, COUNT, ENOUGH = (None, None, *(2.0,) * 10), (None, None, *(4,) * 10), (None, None, *(4.0,) * 10)
FLAT = Curve("now, times 1", NOON, 300.0, (1.0,) * 10, READY_FOR, COUNT, ENOUGH, Carrying(1.0, "cores"))


def found() -> Curve:
    """Ten days of a workload whose demand follows the sun."""
    values = [3 + 2 * math.sin(2 * math.pi * n / 288) for n in range(2880)]
    demand = Demand.of(values, step=300.0, latest=NOON)
    foresight = foresee(demand, carrying=Carrying(0.5, "cores"), start=60.0, policy=Policy(), before=None)
    assert foresight is not None
    made = curve(demand, foresight)
    assert made is not None
    return made


def line(drawing: Drawing, stroke: str) -> Line:
    """The long one of a colour: the other is in the legend."""
    return max((s for s in drawing.shapes if isinstance(s, Line) and s.stroke == stroke), key=lambda s: len(s.points))


def test_two_days_are_shown_and_a_little_beyond() -> None:
    made = found()
    assert len(made.demand) == 576
    assert made.begin == NOON - timedelta(days=2) + timedelta(seconds=300)
    assert len(made.ready) == len(made.replicas) == 576 + 2
    numbers, ready = [n or 0 for n in made.replicas], [value or 0.0 for value in made.ready]
    assert all(0 <= n * 0.5 - value < 0.5 + 1e-6 for n, value in zip(numbers, ready, strict=True))
    enough = [n * 0.5 >= demand for n, demand in zip(numbers, made.demand, strict=False)]
    assert sum(enough) / len(enough) > 0.9


def test_pixels_have_the_colour_of_their_line() -> None:
    drawing = chart("Deployment/shop/web", FLAT)
    image = Image.open(io.BytesIO(png(drawing))).convert("RGB")

    def colour(point: tuple[float, float], right: float = 0.0) -> str:
        x, y = point
        found = image.getpixel((int(SCALE * (x + MARGIN + right)), int(SCALE * (y + MARGIN))))
        assert isinstance(found, tuple)
        return "#" + "".join(f"{part:02x}" for part in found)

    lines = {stroke: line(drawing, stroke) for stroke in (DEMAND, READY, REPLICAS)}
    for stroke, each in lines.items():
        assert colour(each.points[-1], -2) in (stroke, "#ffffff" if each.dashes else stroke)
        assert colour(each.points[1], 2) in (stroke, "#ffffff" if each.dashes else stroke)
    assert colour((lines[DEMAND].points[0][0] + 40, 100)) == "#ffffff"
    heights = [each.points[-1][1] for each in (lines[REPLICAS], lines[READY], lines[DEMAND])]
    assert heights == sorted(heights), "four replicas carry more than the forecast, that is above the demand"
    assert lines[READY].points[0][0] > lines[DEMAND].points[0][0], "nothing is drawn where nothing could be said"


def test_dashes_are_drawn_and_gaps_left() -> None:
    drawing = Drawing(100, 20, (Line(((0, 10), (100, 10)), "#ff0000", 10),), "")
    image = Image.open(io.BytesIO(png(drawing))).convert("RGB")
    row = [image.getpixel((SCALE * (x + MARGIN), SCALE * (10 + MARGIN))) for x in (5, 15, 25, 35, 45)]
    assert row == [(255, 0, 0), (255, 255, 255), (255, 0, 0), (255, 255, 255), (255, 0, 0)]


def test_pictures_below_each_other_do_not_overlap() -> None:
    one, other = heat([]), chart("Deployment/shop/web", FLAT)
    both = stacked([one, other])
    assert both.height == one.height + other.height
    words = next(s for s in both.shapes if isinstance(s, Words) and s.text.startswith("Deployment/shop/web"))
    assert words.y == one.height + 16
    assert both.about == f"{one.about}; {other.about}"
