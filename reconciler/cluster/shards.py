"""One source's state as ConfigMaps: whole or not at all, whatever its size and whenever we are killed.

A state that fits is one ConfigMap, so writing it is atomic. A larger one is cut into pieces that are written first,
each under a name made of its digest, so none is ever overwritten; then the ConfigMap that names them, which is the
switch; then the pieces of the state before are deleted. Killed in between, the old state stands and some pieces are
left over, which `tidy` removes.
"""

import asyncio
import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from reconciler.cluster.configmaps import ConfigMaps, Stored
from reconciler.errors import AlreadyExists, ConfigError, Conflict, NotFound
from reconciler.model.state import LABEL_PIECE, LABEL_STATE, SourceState, state_name

PIECE: Final = 120 * 1024  # characters; of four bytes each that is 480 KiB, and no ConfigMap of ours exceeds 512
_FORMAT: Final = "1"
_ATTEMPTS: Final = 3
_LEFT_OVER: Final = timedelta(hours=1)  # a younger piece may belong to a state that is being written


class Version(NamedTuple):
    """Which state was read or written. `resource_version` is "" where there is none yet."""

    resource_version: str
    generation: int
    pieces: tuple[str, ...]


NOTHING: Final = Version("", 0, ())


async def read(maps: ConfigMaps, source: str) -> tuple[SourceState, Version]:
    """The state in the cluster, an empty one where there is none. Raises ConfigError when it cannot be understood."""
    for _ in range(_ATTEMPTS):
        index = await maps.read(state_name(source))
        if index is None:
            return SourceState(source), NOTHING
        version = _version(index)
        text = index.data.get("state")
        if text is None:
            found = await asyncio.gather(*(maps.read(name) for name in version.pieces))
            text = "".join(piece.data.get("piece", "") for piece in found if piece is not None)
            if _digest(text) != index.data.get("digest"):
                continue  # it was replaced while we read
        try:
            return msgspec.json.decode(text, type=SourceState), version
        except msgspec.DecodeError:
            break
    raise ConfigError(
        f"the stored state of source {source} cannot be read",
        where=f"ConfigMap/{state_name(source)}",
        hint="it was changed by hand, or by a newer release; deleting it forgets what was suspended and recorded",
    )


async def write(maps: ConfigMaps, state: SourceState, before: Version) -> Version:
    """Make `state` the one in the cluster. Raises Conflict when the one there is not `before`."""
    name = state_name(state.source)
    labels = {LABEL_STATE: state.source}
    text = msgspec.json.encode(state, order="deterministic").decode()
    data = {"format": _FORMAT, "generation": str(before.generation + 1)}
    pieces: tuple[str, ...] = ()
    if len(text) <= PIECE:
        data["state"] = text
    else:
        pieces = await _write_pieces(maps, state.source, text, before.generation + 1)
        data |= {"pieces": " ".join(pieces), "digest": _digest(text)}
    try:
        if before.resource_version:
            stored = await maps.replace(name, data, labels, before.resource_version)
        else:
            stored = await maps.create(name, data, labels)
    except (AlreadyExists, NotFound) as error:
        raise Conflict("the state appeared or vanished meanwhile", status=409, where=name) from error
    await asyncio.gather(*(maps.delete(old) for old in before.pieces if old not in pieces))
    return Version(stored.version, before.generation + 1, pieces)


async def tidy(maps: ConfigMaps, source: str, version: Version, now: datetime) -> None:
    """Delete pieces that a killed writer left over."""
    for name, created in sorted((await maps.names(f"{LABEL_PIECE}={source}")).items()):
        if name not in version.pieces and created and datetime.fromisoformat(created) < now - _LEFT_OVER:
            await maps.delete(name)


async def _write_pieces(maps: ConfigMaps, source: str, text: str, generation: int) -> tuple[str, ...]:
    names: list[str] = []
    for start in range(0, len(text), PIECE):
        piece = text[start : start + PIECE]
        name = f"{state_name(source)}.{_digest(f'{generation} {start} {piece}')[:16]}"
        with suppress(AlreadyExists):  # from a life that was killed before the switch
            await maps.create(name, {"piece": piece}, {LABEL_PIECE: source})
        names.append(name)
    return tuple(names)


def _version(index: Stored) -> Version:
    generation = index.data.get("generation", "")
    pieces = tuple(index.data.get("pieces", "").split())
    return Version(index.version, int(generation) if generation.isdecimal() else 0, pieces)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
