"""A drawing as SVG, in the page. It has no style of its own; words have the colour of the text around it."""

from reconciler.daemon.page.markup import Html, tag
from reconciler.planner.drawing import Box, Drawing, Line, Shape, Words


def drawn(drawing: Drawing) -> Html:
    """One element."""
    shapes = map(_shape, drawing.shapes)
    return tag("svg", shapes, viewBox=f"0 0 {drawing.width} {drawing.height}", role="img", aria_label=drawing.about)


def _shape(shape: Shape) -> Html:
    if isinstance(shape, Words):
        return _words(shape)
    return _line(shape) if isinstance(shape, Line) else _box(shape)


def _line(line: Line) -> Html:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.points)
    said = tag("title", line.title) if line.title else None
    dashes = str(line.dashes) if line.dashes else None
    return tag(
        "polyline", said, points=points, fill="none", stroke=line.stroke, stroke_width=2, stroke_dasharray=dashes
    )


def _box(box: Box) -> Html:
    said = tag("title", box.title) if box.title else None
    return tag(
        "rect", said, x=f"{box.x:g}", y=f"{box.y:g}", width=f"{box.width:g}", height=f"{box.height:g}", fill=box.fill
    )


def _words(words: Words) -> Html:
    weight = "600" if words.bold else None
    place = {"x": f"{words.x:g}", "y": f"{words.y:g}"}
    return tag("text", words.text, **place, font_size=words.size, font_weight=weight, fill="currentColor")
