"""What can be seen of a PromQL query without a Prometheus: whether its brackets and quotes are closed, and no more."""

import re
from typing import Final

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
# Strings (a backslash escapes in all but those in backquotes), comments, brackets; a quote that is left opens a string.
_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*|[()\[\]{}"\'`]', re.DOTALL)


def unbalanced(query: str) -> str:
    """What is open or closed too much, in words; "" where that is nothing."""
    opened: list[str] = []
    for match in _TOKEN.finditer(query):
        part = match[0]
        if part in _PAIRS.values():
            opened.append(part)
        elif part in _PAIRS:
            if not opened or opened.pop() != _PAIRS[part]:
                return f"it closes a {part} that it has not opened, at its letter {match.start() + 1}"
        elif len(part) == 1 and part != "#":
            return f"it begins a string with {part} that does not end, at its letter {match.start() + 1}"
    return f"it opens a {opened[-1]} that it does not close" if opened else ""
