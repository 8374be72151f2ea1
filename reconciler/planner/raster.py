"""A drawing as a PNG image, by Pillow: an extra, imported only here."""

import io
from typing import Final

from reconciler.errors import ConfigError
from reconciler.planner.drawing import Box, Drawing

SCALE: Final = 2  # pixels of the image for one of the drawing
MARGIN: Final = 16
_PAPER: Final = "#ffffff"
_INK: Final = "#1b1f26"


def png(drawing: Drawing) -> bytes:
    """The image, dark on white. Raises ConfigError where Pillow is not installed."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise ConfigError("--png needs Pillow", hint="pip install 'reconciler[png]'") from None

    image = Image.new("RGB", (SCALE * (drawing.width + 2 * MARGIN), SCALE * (drawing.height + 2 * MARGIN)), _PAPER)
    draw = ImageDraw.Draw(image)
    for shape in drawing.shapes:
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
