"""The one comment of ours on a pull request: found by a mark that people do not see, edited in place."""

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from reconciler.errors import ForgeMissing
from reconciler.forge.forge import Forge

_MARK: Final = re.compile(r"<!-- reconciler-review (?P<name>[A-Za-z0-9._-]{1,128}) (?P<notes>\{[^\n]*?\}) -->\n")
_CUT: Final = "\n\n… cut, because the forge takes no more in one comment.\n"
_CLOSING: Final = "\n\n</details>"


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
    """`text` in at most `most` characters: cut at the end of a line, open details closed, and the cut told."""
    if len(text) <= most:
        return text
    kept = text[: most - len(_CUT) - 8 * len(_CLOSING)]
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    fences = sum(line.startswith("```") for line in kept.split("\n"))
    closing = "\n```" if fences % 2 else ""
    opened = min(6, kept.count("<details>") - kept.count("</details>"))
    return kept + closing + _CLOSING * max(0, opened) + _CUT


def _notes(text: str) -> Notes:
    try:
        return msgspec.json.decode(text, type=Notes)
    except (msgspec.DecodeError, RecursionError):
        return Notes()
