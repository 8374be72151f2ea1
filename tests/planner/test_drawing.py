"""The picture of the nodes: its pixels are looked at, not only its existence."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from reconciler.model.planned import Share
from reconciler.planner.drawing import COLUMNS, LETTER, Box, Drawing, Words, heat, shade
from reconciler.planner.loads import NodeLoad
from reconciler.planner.raster import MARGIN, SCALE, png


def load(name: str, now: float, planned: float, *, zone: str = "a", there: bool = True) -> NodeLoad:
    return NodeLoad(name, "general", zone, {"cpu": Share(now, planned)}, there)


def boxes(drawing: Drawing, word: str) -> list[Box]:
    """Those of which the title speaks of `word`."""
    return [each for each in drawing.shapes if isinstance(each, Box) and word in each.title]


def colour(image: Image.Image, box: Box) -> str:
    """The one that is in the middle of a box."""
    x, y = box.x + box.width / 2 + MARGIN, box.y + box.height / 2 + MARGIN
    red, green, blue = image.getpixel((int(SCALE * x), int(SCALE * y)))  # type: ignore[misc]
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_a_full_node_is_dark_an_empty_one_pale_and_the_paper_white() -> None:
    drawing = heat([load("empty", 0, 0), load("full", 1, 1), load("over", 0.5, 1.25), load("gone", 0, 0, there=False)])
    image = Image.open(io.BytesIO(png(drawing)))
    assert image.format == "PNG"
    assert image.size == (SCALE * (drawing.width + 2 * MARGIN), SCALE * (drawing.height + 2 * MARGIN))
    seen = {name: [colour(image, box) for box in boxes(drawing, name)] for name in ("empty", "full", "over", "gone")}
    assert seen["empty"] == ["#e8eff7", "#e8eff7"]
    assert seen["full"] == ["#084081", "#084081"]
    assert seen["over"] == [shade(0.5), "#b3261e"]
    assert seen["gone"] == ["#9aa0a6", "#9aa0a6"]
    assert image.getpixel((2, 2)) == (255, 255, 255)


def test_it_says_in_words_what_is_where() -> None:
    drawing = heat([load("n1", 0.25, 0.95), load("n2", 0, 0.5, zone="b")])
    assert [box.title for box in boxes(drawing, "n")] == [
        "n1 (general/a): cpu 25 %",
        "n2 (general/b): cpu 0 %",
        "n1 (general/a): cpu 95 %",
        "n2 (general/b): cpu 50 %",
    ]
    words = [each.text for each in drawing.shapes if isinstance(each, Words)]
    assert {"cpu now", "cpu planned", "general/a", "general/b"} <= set(words)
    assert "memory now" not in words, "no node has any"
    assert drawing.about.endswith("2 nodes, 1 of them more than nine tenths full as planned")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_few_nodes_the_heads_are_whole(count: int) -> None:
    pools = ("general-purpose", "spot", "large")[:count]
    nodes = [replace(load(f"n{n}", 0, 1, zone=f"eu-central-1{n}"), pool=pool) for n, pool in enumerate(pools)]
    drawing = heat(nodes)
    shown = sorted(
        (each.x, each.text) for each in drawing.shapes if isinstance(each, Words) and "eu-central" in each.text
    )
    assert {text for _, text in shown} == {f"{pool}/eu-central-1{n}" for n, pool in enumerate(pools)}
    ends = [x + LETTER * len(text) for x, text in shown]
    assert all(end < x for end, (x, _) in zip(ends, shown[1:], strict=False)), "none lies over another"
    assert ends[-1] <= drawing.width
    assert all(box.x + box.width <= drawing.width for box in boxes(drawing, "n"))


@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 1, 10_000])
def test_however_many_nodes_there_are_it_stays_within_its_frame(count: int) -> None:
    nodes = [load(f"n{number:05}", 0.5, 1.0, zone=f"z{number % 3}") for number in range(count)]
    drawing = heat(nodes)
    drawn = boxes(drawing, "n0")
    assert len(drawn) <= 2 * COLUMNS
    assert all(box.width >= 1 and box.x + box.width <= drawing.width for box in drawn)
    assert all(box.y + box.height <= drawing.height for box in drawn)
    assert {box.fill for box in drawn} == {shade(0.5), shade(1.0)}


def test_many_pools_become_fewer_groups() -> None:
    nodes = [replace(load(f"n{n}", 0, 0, zone=f"z{n % 7}"), pool=f"p{n % 30}") for n in range(2000)]
    shown = {box.title.split("(")[1].split(")")[0] for box in boxes(heat(nodes), "n")}
    assert shown == {f"p{n}" for n in range(30)}
    nodes = [replace(node, pool=f"p{n}") for n, node in enumerate(nodes)]
    assert {box.title.split("(")[1].split(")")[0] for box in boxes(heat(nodes), "n")} == {"all nodes"}


def test_no_nodes_is_a_picture_too() -> None:
    assert Image.open(io.BytesIO(png(heat([])))).size[0] > 0
