"""Pages of the documentation, cut into the parts that tests look at."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Page:
    def __init__(self, name: str) -> None:
        self.path = ROOT / name
        self.text = self.path.read_text(encoding="utf-8")

    def sections(self, level: int = 2) -> dict[str, str]:
        """By heading of `level`, the text up to the next heading of that level or above."""
        parts = re.split(rf"^#{{{level}}} (.+)$", self.text, flags=re.MULTILINE)
        bodies = (re.split(rf"^#{{1,{level}}} ", body, flags=re.MULTILINE)[0] for body in parts[2::2])
        return dict(zip(parts[1::2], bodies, strict=True))

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    def commands(self) -> list[str]:
        """Lines of indented blocks and code spans that call `reconciler`, without their comments."""
        lines = re.findall(r"^    (?:\$ )?(reconciler .+)$", self.text, re.MULTILINE)
        spans = re.findall(r"`(reconciler [^`]+)`", self.text)
        return [re.split(r"\s{2,}|\s+&$", line)[0] for line in [*lines, *spans]]

    def first_cells(self, text: str) -> list[str]:
        """What stands in code in the first cell of each row of the tables in `text`."""
        rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
        return [code for row in rows for code in re.findall(r"`([^`]+)`", row)]


@pytest.fixture
def page() -> Callable[[str], Page]:
    return Page
