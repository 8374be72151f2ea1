"""What a commit's message says to us, in its trailers: `Key: value` lines of its last paragraph.

Remove the legacy shop

Reconciler-Allow-Prune: 12
"""

import re
from collections.abc import Iterable
from typing import Final

from reconciler.model.manifest import TRAILER_ALLOW_PRUNE

_TRAILER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*?)[ \t]*")
_COUNT: Final = re.compile(r"[0-9]{1,6}")


def trailers(message: str) -> tuple[tuple[str, str], ...]:
    """The trailers of a commit's message in their order, continued lines joined.

    As for Git, they are a paragraph of their own at the end; a message of one paragraph has none. A line of that
    paragraph that is no trailer is passed over.
    """
    paragraphs = [part for part in re.split(r"\n(?:[ \t]*\n)+", message.replace("\r\n", "\n").strip()) if part]
    if len(paragraphs) < 2:
        return ()
    found: list[tuple[str, str]] = []
    for line in paragraphs[-1].split("\n"):
        if line[:1] in (" ", "\t") and found:
            key, value = found[-1]
            found[-1] = (key, f"{value} {line.strip()}")
        elif match := _TRAILER.fullmatch(line):
            found.append((match[1], match[2]))
    return tuple(found)


def allowed_prunes(messages: Iterable[str]) -> int:
    """How many deletions the commits with these messages approve (rule 11): the sum over `Reconciler-Allow-Prune`.

    What is not a plain number approves nothing.
    """
    return sum(
        int(value)
        for message in messages
        for key, value in trailers(message)
        if key.lower() == TRAILER_ALLOW_PRUNE.lower() and _COUNT.fullmatch(value)
    )
