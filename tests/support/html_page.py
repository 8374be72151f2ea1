"""A page as a tree: strict about what browsers forgive."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self

VOID = frozenset({"br", "hr", "input", "link", "meta", "wbr"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "caption",
        "details",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "header",
        "label",
        "li",
        "main",
        "nav",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
    ]
)


_INNER = frozenset({"section", "article", "ul", "dd", "details", "table", "form"})


@dataclass
class Element:
    """`parts` are texts and elements, in order."""

    name: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    parts: list["str | Element"] = field(default_factory=list)

    def all(self, *names: str) -> list["Element"]:
        """Every element below, of `names` where there are some."""
        found: list[Element] = []
        for part in self.parts:
            if isinstance(part, Element):
                if not names or part.name in names:
                    found.append(part)
                found += part.all(*names)
        return found

    def words(self) -> str:
        """All text, its white space as a browser shows it."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> list[str]:
        found: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                found.append(part)
            else:
                gap = " " if part.name in _BLOCKS else ""
                found += [gap, *part._texts(), gap]
        return found

    def is_block(self) -> bool:
        return self.name in _BLOCKS or any(each.name in _BLOCKS for each in self.all())

    def lines(self, depth: int = 0) -> list[str]:
        """What people read, a line a block, for golden files. A row of a table is one line, so is a choice."""
        if self.name in ("tr", "select"):
            cells = (part.words() for part in self.parts if isinstance(part, Element))
            return ["  " * depth + " | ".join(cells)]
        if self.name == "pre":
            return ["  " * depth + f"| {line}" for line in self.raw().splitlines()]
        lines: list[str] = []
        words: list[str] = []

        def end() -> None:
            if text := " ".join("".join(words).split()):
                lines.append("  " * depth + text)
            words.clear()

        for part in self.parts:
            if isinstance(part, str):
                words.append(part)
            elif part.is_block() or part.name == "select":
                end()
                lines += part.lines(depth + (part.name in _INNER))
            elif part.name not in VOID:
                words.append(part.raw())
        end()
        return lines

    def raw(self) -> str:
        return "".join(part if isinstance(part, str) else part.raw() for part in self.parts)


class Parsed(HTMLParser):
    """`Parsed.of(text)`; raises AssertionError where an element is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self._open = [self.root]

    @classmethod
    def of(cls, text: str) -> Self:
        made = cls()
        made.feed(text)
        made.close()
        assert len(made._open) == 1, [each.name for each in made._open]
        ids = [each.attributes["id"] for each in made.root.all() if "id" in each.attributes]
        assert len(ids) == len(set(ids)), ids
        return made

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        element = Element(tag, dict(attrs))
        self._open[-1].parts.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, (tag, [each.name for each in self._open])
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)

    @property
    def links(self) -> list[str]:
        return [str(each.attributes["href"]) for each in self.root.all("a")]
