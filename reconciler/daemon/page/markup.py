"""HTML that cannot be broken into: every text is escaped unless it was made here.

tag("p", "a < b", tag("b", "!"), class_="note")   →   <p class="note">a &lt; b<b>!</b></p>
"""

from collections.abc import Iterable
from html import escape
from typing import Final

from reconciler.diff.views.fields import visible

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta", "wbr"})
_HOLDS_URL: Final = frozenset({"href", "src", "action"})
_OWN: Final = ("/", "?", "#")  # how an address of ours begins; "" is this very page


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | Html | Iterable["Child"] | None
Value = str | int | bool | None


def text(words: str) -> Html:
    """`words` for a person to read: escaped, control and direction characters written out."""
    return Html(escape("\n".join(map(visible, words.split("\n")))))


def tag(name: str, /, *children: Child, **attributes: Value) -> Html:
    """An element. `class_` means class, `aria_label` aria-label; None and False leave an attribute out.

    Raises ValueError for an address that does not begin as one of this page's own.
    """
    parts = ["<", name]
    for word, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = word.rstrip("_").replace("_", "-")
        if attribute in _HOLDS_URL and value and not _ours(str(value)):
            raise ValueError(f"{value!r} is no address of this page")
        parts.append(f" {attribute}" if value is True else f' {attribute}="{text(str(value))}"')
    parts.append(">")
    if name not in _VOID:
        _add(parts, children)
        parts.append(f"</{name}>")
    return Html("".join(parts))


def join(*children: Child) -> Html:
    """Several, one after the other."""
    parts: list[str] = []
    _add(parts, children)
    return Html("".join(parts))


def _ours(address: str) -> bool:
    return address.startswith(_OWN) and not address.startswith(("//", "/\\"))


def _add(parts: list[str], children: Iterable[Child]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(text(child))
        else:
            _add(parts, child)
