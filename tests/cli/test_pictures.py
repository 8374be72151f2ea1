"""Nodes and demand drawn for a terminal."""

import io
import math
from datetime import UTC, datetime

from rich.console import Console

from reconciler.cli.pictures import chart, heat
from reconciler.model.planned import Share
from reconciler.planner.carrying import Carrying
from reconciler.planner.curves import Curve
from reconciler.planner.loads import NodeLoad


def node(number: int, cpu: float, memory: float = 0.5) -> NodeLoad:
    parts = {"cpu": Share(cpu, cpu + 0.25), "memory": Share(memory, memory)}
    return NodeLoad(f"general-{number}", "general", f"zone-{number}", parts)


def drawn(rows: object, *, colours: bool = False) -> list[str]:
    console = Console(
        file=(out := io.StringIO()), width=80, force_terminal=colours, color_system="truecolor", record=True
    )
    for row in rows:
        console.print(row)
    return out.getvalue().splitlines() if colours else console.export_text().splitlines()


def test_a_node_is_a_row_with_what_was_requested_and_what_is_planned():
    before = [node(1, 0.25), node(2, 0.5)]
    after = [node(2, 0.5), node(3, 0.0)]
    assert drawn(heat(before, after)) == [
        "                                    cpu            memory",
        "                               before  after   before  after",
        "     general-1 general/zone-1   25 %   gone     50 %   gone",
        "     general-2 general/zone-2   50 %   75 %     50 %   50 %",
        "     general-3 general/zone-3    new   25 %      new   50 %",
    ]


def test_what_is_full_is_dark():
    light, dark = drawn(heat([], [node(1, 0.0), node(2, 0.6)]), colours=True)[2:]
    assert "\x1b[30;48;2;176;195;218m 25 %  " in light
    assert "\x1b[37;48;2;42;90;147m 85 %  " in dark


def test_many_nodes_are_counted():
    assert drawn(heat([], [node(number, 0.5) for number in range(20)]))[-1] == "     and 8 more"


def test_a_resource_that_a_node_does_not_have_is_left_out():
    bare = NodeLoad("gpu-1", "gpu", "", {"gpu": Share(0.5, 1.0)})
    assert drawn(heat([bare, node(1, 0.5)], [bare, node(1, 0.5)]))[-1].split() == [
        "gpu-1",
        "gpu",
        "50",
        "%",
        "100",
        "%",
    ]


def test_demand_its_forecast_and_replicas_are_one_picture():
    past = [100 + 60 * math.sin(math.pi * hour / 12) for hour in range(48)]
    ready = [None, *(value + 10 for value in past), 110.0]
    replicas = [None if value is None else math.ceil(value / 50) for value in ready]
    carried = [None if count is None else 50.0 * count for count in replicas]
    series = (tuple(each) for each in (past, ready, replicas, carried))
    curve = Curve("rule", datetime(2026, 3, 1, tzinfo=UTC), 3600.0, *series, Carrying(50.0, "cores"))
    rows = drawn(chart(curve))
    assert len(rows) == 10
    assert max(map(len, rows)) <= 80
    area, times, legend = rows[:8], rows[8], rows[9]
    heights = [sum(row[5 + column : 6 + column] == "█" for row in area) for column in range(64)]
    assert max(heights) >= 5
    assert min(heights[:60]) >= 1
    assert heights.index(max(heights)) < 20, "the first day's height is a quarter of it after its beginning"
    assert sum(row.endswith(" 3 replicas") for row in area) == 1
    assert times.split() == ["01", "Mar", "00:00", "UTC", "now"]
    assert legend.split() == ["█", "demand", "·", "forecast", "─", "what", "the", "replicas", "carry"]


def test_nothing_known_is_an_empty_picture():
    one = Carrying(1.0, "cores")
    curve = Curve("rule", datetime(2026, 3, 1, tzinfo=UTC), 300.0, (0.0,), (None,), (None,), (None,), one)
    assert [row.strip() for row in drawn(chart(curve))[:8]] == [""] * 8
