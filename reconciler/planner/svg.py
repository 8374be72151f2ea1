"""A drawing as SVG. It has no style and no script of its own; words have the colour of the text around it."""

from html import escape

from reconciler.planner.drawing import Box, Drawing, Words


def svg(drawing: Drawing) -> str:
    """One element, to stand in a page or, with a namespace, in a file."""
    size = f'viewBox="0 0 {drawing.width} {drawing.height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(drawing.about)}">']
    parts += [_box(each) if isinstance(each, Box) else _words(each) for each in drawing.shapes]
    return "".join([*parts, "</svg>"])


def _box(box: Box) -> str:
    said = f"<title>{escape(box.title)}</title>" if box.title else ""
    size = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'
    return f'<rect {size} fill="{box.fill}">{said}</rect>'


def _words(words: Words) -> str:
    bold = ' font-weight="600"' if words.bold else ""
    place = f'x="{words.x:g}" y="{words.y:g}" font-size="{words.size}"'
    return f'<text {place}{bold} fill="currentColor">{escape(words.text)}</text>'
