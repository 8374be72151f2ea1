"""Files that say what people are expected to see. After a wanted change: `UPDATE_GOLDEN=1 python -m pytest …`."""

import os
from pathlib import Path


def checked(file: Path, shown: str) -> None:
    """Compare; or write, where that is asked for."""
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")
