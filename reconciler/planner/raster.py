"""A drawing as a PNG image, by Pillow: an extra, imported only here."""

import io
import sys
from collections.abc import Iterator
from itertools import pairwise
from math import hypot
from typing import Final

from reconciler.errors import ConfigError
from reconciler.planner.drawing import Box, Drawing, Line

SCALE: Final = 2  # pixels of the image for one of the drawing
MARGIN: Final = 16
_PAPER: Final = "#ffffff"
_INK: Final = "#1b1f26"


def png(drawing: Drawing) -> bytes:
    """The image, dark on white. Raises ConfigError where Pillow is not installed."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise ConfigError("--png needs Pillow", hint=f"{sys.executable} -m pip install pillow") from None

    image = Image.new("RGB", (SCALE * (drawing.width + 2 * MARGIN), SCALE * (drawing.height + 2 * MARGIN)), _PAPER)
    draw = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        if isinstance(shape, Line):
            points = [(SCALE * (x + MARGIN), SCALE * (y + MARGIN)) for x, y in shape.points]
            for begin, end in _pieces(points, SCALE * shape.dashes):
                draw.line((*begin, *end), shape.stroke, 2 * SCALE)
            continue
        x, y = SCALE * (shape.x + MARGIN), SCALE * (shape.y + MARGIN)
        if isinstance(shape, Box):
            draw.rectangle((x, y, x + SCALE * shape.width - 1, y + SCALE * shape.height - 1), shape.fill)
        else:
            width = 1 if shape.bold else 0
            font = ImageFont.load_default(SCALE * shape.size)
            draw.text((x, y), shape.text, _INK, font, anchor="ls", stroke_width=width)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


Point = tuple[float, float]


def _pieces(points: list[Point], dash: float) -> Iterator[tuple[Point, Point]]:
    """What is drawn of a line: all of it, or one dash and not the next."""
    walked = 0.0
    for (x, y), (right, below) in pairwise(points):
        length = hypot(right - x, below - y)
        at = 0.0
        while at < length:
            left = dash - walked % dash if dash else length
            end = min(length, at + left)
            if not dash or int(walked // dash) % 2 == 0:
                yield (
                    (x + (right - x) * at / length, y + (below - y) * at / length),
                    (x + (right - x) * end / length, y + (below - y) * end / length),
                )
            walked += max(end - at, 1e-6)
            at = max(end, at + 1e-6)
