"""A drawing as SVG, in the page. It has no style of its own; words have the colour of the text around it."""

from reconciler.daemon.page.markup import Html, tag
from reconciler.planner.drawing import Box, Drawing, Words


def drawn(drawing: Drawing) -> Html:
    """One element."""
    shapes = (_box(each) if isinstance(each, Box) else _words(each) for each in drawing.shapes)
    return tag("svg", shapes, viewBox=f"0 0 {drawing.width} {drawing.height}", role="img", aria_label=drawing.about)


def _box(box: Box) -> Html:
    said = tag("title", box.title) if box.title else None
    return tag(
        "rect", said, x=f"{box.x:g}", y=f"{box.y:g}", width=f"{box.width:g}", height=f"{box.height:g}", fill=box.fill
    )


def _words(words: Words) -> Html:
    weight = "600" if words.bold else None
    place = {"x": f"{words.x:g}", "y": f"{words.y:g}"}
    return tag("text", words.text, **place, font_size=words.size, font_weight=weight, fill="currentColor")
