"""A text as ConfigMaps: whole or not at all, whatever its size and whenever we are killed.

A text that fits is one ConfigMap, so writing it is atomic. A larger one is cut into pieces that are written first,
each under a name made of its digest, so none is ever overwritten; then the ConfigMap that names them, which is the
switch; then the pieces of the text before are deleted. Killed in between, the old text stands and some pieces are left
over, which `tidy` removes.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from reconciler.cluster.configmaps import ConfigMaps, Stored
from reconciler.errors import AlreadyExists, ConfigError, Conflict, NotFound

PIECE: Final = 120 * 1024  # characters; of four bytes each that is 480 KiB, and no ConfigMap of ours exceeds 512
_FORMAT: Final = "1"
_ATTEMPTS: Final = 3
_LEFT_OVER: Final = timedelta(hours=1)  # a younger piece may belong to a state that is being written


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept under one name. `what` it is, and what deleting it `forgets`, in words for people.

    `piece` is a label that only its pieces carry, with its value.
    """

    name: str
    what: str
    forgets: str
    labels: Mapping[str, str]
    piece: tuple[str, str]

    def unreadable(self) -> ConfigError:
        """The error for a text that makes no sense."""
        return ConfigError(
            f"{self.what} cannot be read",
            where=f"ConfigMap/{self.name}",
            hint=f"it was changed by hand, or by a newer release; deleting it forgets {self.forgets}",
        )


class Version(NamedTuple):
    """Which text was read or written. `resource_version` is "" where there is none yet."""

    resource_version: str
    generation: int
    pieces: tuple[str, ...]


NOTHING: Final = Version("", 0, ())


async def read(maps: ConfigMaps, kept: Kept) -> tuple[str, Version]:
    """The text in the cluster, "" where there is none. Raises ConfigError where a piece is missing."""
    for _ in range(_ATTEMPTS):
        index = await maps.read(kept.name)
        if index is None:
            return "", NOTHING
        version = _version(index)
        text = index.data.get("state")
        if text is not None:
            return text, version
        found = await asyncio.gather(*(maps.read(name) for name in version.pieces))
        text = "".join(piece.data.get("piece", "") for piece in found if piece is not None)
        if _digest(text) == index.data.get("digest"):  # else it was replaced while we read
            return text, version
    raise kept.unreadable()


async def version_of(maps: ConfigMaps, kept: Kept) -> Version:
    """Which text is in the cluster, whether or not it makes sense."""
    index = await maps.read(kept.name)
    return NOTHING if index is None else _version(index)


async def write(maps: ConfigMaps, kept: Kept, text: str, before: Version) -> Version:
    """Make `text` the one in the cluster. Raises Conflict when the one there is not `before`."""
    data = {"format": _FORMAT, "generation": str(before.generation + 1)}
    pieces: tuple[str, ...] = ()
    if len(text) <= PIECE:
        data["state"] = text
    else:
        pieces = await _write_pieces(maps, kept, text, before.generation + 1)
        data |= {"pieces": " ".join(pieces), "digest": _digest(text)}
    try:
        if before.resource_version:
            stored = await maps.replace(kept.name, data, kept.labels, before.resource_version)
        else:
            stored = await maps.create(kept.name, data, kept.labels)
    except (AlreadyExists, NotFound) as error:
        raise Conflict("it appeared or vanished meanwhile", status=409, where=kept.name) from error
    await asyncio.gather(*(maps.delete(old) for old in before.pieces if old not in pieces))
    return Version(stored.version, before.generation + 1, pieces)


async def tidy(maps: ConfigMaps, kept: Kept, version: Version, now: datetime) -> None:
    """Delete pieces that a killed writer left over."""
    for name, created in sorted((await maps.names("=".join(kept.piece))).items()):
        if name not in version.pieces and created and datetime.fromisoformat(created) < now - _LEFT_OVER:
            await maps.delete(name)


async def _write_pieces(maps: ConfigMaps, kept: Kept, text: str, generation: int) -> tuple[str, ...]:
    names: list[str] = []
    for start in range(0, len(text), PIECE):
        piece = text[start : start + PIECE]
        name = f"{kept.name}.{_digest(f'{generation} {start} {piece}')[:16]}"
        with suppress(AlreadyExists):  # from a life that was killed before the switch
            await maps.create(name, {"piece": piece}, dict((kept.piece,)))
        names.append(name)
    return tuple(names)


def _version(index: Stored) -> Version:
    generation = index.data.get("generation", "")
    pieces = tuple(index.data.get("pieces", "").split())
    return Version(index.version, int(generation) if generation.isdecimal() else 0, pieces)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
