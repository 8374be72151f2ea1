"""The one comment of ours on a pull request: found by a mark that people do not see, edited in place."""

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from reconciler.errors import ForgeMissing
from reconciler.forge.forge import Forge

_MARK: Final = re.compile(r"<!-- reconciler-review (?P<name>[A-Za-z0-9._-]{1,128}) (?P<notes>\{[^\n]*?\}) -->\n")
_CUT: Final = "\n\n… cut, because the forge takes no more in one comment.\n"
_FOLDED: Final = "<details>"
_UNFOLDED: Final = "</details>"
_CLOSING: Final = f"\n\n{_UNFOLDED}"
_FENCE: Final = re.compile("`{3,}")


class Notes(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a comment remembers of itself, for the time after a restart. People may edit a comment: nothing that
    decides about a merge is taken from here.

    `base` and `head` are the commits of the plan that is shown, `plans` what it announces, packed, by source; `merged`
    is the commit of the merge, "" before, and `done` says that the result of its sync was told.
    """

    base: str = ""
    head: str = ""
    plans: dict[str, str] = {}
    merged: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """Our comment: the forge's id, what it remembers, and its text without the mark."""

    id: int
    notes: Notes
    text: str


async def find(forge: Forge, repository: str, number: int, name: str) -> Ours | None:
    """The first comment by our account that bears the mark of the install `name`.

    Somebody else's comment with our mark is somebody else's. Raises ForgeError.
    """
    account = (await forge.account()).lower()
    async for comment in forge.comments(repository, number):
        if comment.author.lower() != account:
            continue
        text = comment.text.replace("\r\n", "\n")
        if (match := _MARK.match(text)) and match["name"] == name:
            return Ours(comment.id, _notes(match["notes"]), text[match.end() :])
    return None


async def put(
    forge: Forge, repository: str, number: int, name: str, ours: Ours | None, notes: Notes, text: str
) -> Ours:
    """Have our comment say `text`: in place of `ours`, or as a new one where there is none, or it was deleted.

    Nothing is sent where it says so already. Raises ForgeError.
    """
    mark = _mark(name, notes)
    body = fit(text, room(forge, name, notes))
    if ours is not None and (ours.notes, ours.text.strip()) == (notes, body.strip()):
        return ours
    if ours is not None:
        try:
            await forge.edit(repository, number, ours.id, mark + body)
            return Ours(ours.id, notes, body)
        except ForgeMissing:  # a person deleted it meanwhile
            pass
    return Ours(await forge.say(repository, number, mark + body), notes, body)


def room(forge: Forge, name: str, notes: Notes) -> int:
    """The characters that a comment has for its text."""
    return forge.longest - len(_mark(name, notes))


def _mark(name: str, notes: Notes) -> str:
    return f"<!-- reconciler-review {name} {msgspec.json.encode(notes).decode()} -->\n"


def fit(text: str, most: int) -> str:
    """`text` in at most `most` characters: cut at the end of a line, what is open there closed, and the cut told.

    What is folded begins and ends with lines of their own, as our views have it; in a block of code lines mean nothing.
    """
    if len(text) <= most:
        return text
    room = most - len(_CUT)
    end = opened = 0
    fence = closing = ""
    for line in text.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif match := _FENCE.match(line):
            fence = match[0]
        elif line.startswith(_FOLDED):
            opened += 1
        elif line.startswith(_UNFOLDED):
            opened = max(0, opened - 1)
        needed = (f"\n{fence}" if fence else "") + _CLOSING * opened
        if end + len(line) + 1 + len(needed) > room:
            break
        end, closing = end + len(line) + 1, needed
    return (text[: end - 1] if end else text[: max(0, room)]) + closing + _CUT


def _notes(text: str) -> Notes:
    try:
        return msgspec.json.decode(text, type=Notes)
    except (msgspec.DecodeError, RecursionError):
        return Notes()
