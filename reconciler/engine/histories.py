"""The history of usage in ConfigMaps, compressed: some 110 characters for each container."""

import asyncio
import base64
import logging
import zlib
from typing import Final

import msgspec

from reconciler.clock import Clock
from reconciler.cluster import shards
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.configmaps import ConfigMaps
from reconciler.errors import ConfigError, Conflict
from reconciler.usage.history import History, StoredHistory

PACE: Final = 60.0  # seconds between two writes, for each ConfigMap that one takes
_LARGEST: Final = 256 * 1024 * 1024  # bytes when unpacked: others can write to where it is stored
_KEPT: Final = shards.Kept(
    "reconciler-usage",
    "the stored history of usage",
    "what was measured",
    {},
    ("reconciler.dev/usage-piece", "true"),
)

logger = logging.getLogger(__name__)


class HistoryMaps:
    """The HistoryStore of `reconciler.engine.measuring`. One process at a time writes."""

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock) -> None:
        self._maps = ConfigMaps(cluster.server.api, namespace)
        self._clock = clock
        self._version = shards.NOTHING

    async def read(self) -> History:
        """What is kept; nothing where there is none, or none that makes sense. Raises ApiError, TransportError."""
        found = await self.look()
        await shards.tidy(self._maps, _KEPT, self._version, self._clock.now())
        return found

    async def look(self) -> History:
        """As `read`, and nothing is written: what an earlier life left over stays."""
        try:
            text, self._version = await shards.read(self._maps, _KEPT)
            return await asyncio.to_thread(_history, text) if text else History()
        except (ConfigError, ValueError, OverflowError, zlib.error):
            logger.warning("%s; measuring begins anew", _KEPT.unreadable())
            return History()

    async def write(self, history: History) -> float:
        """Keep `history`, whatever is there; returns the seconds to wait until the next time."""
        text = await asyncio.to_thread(_text, history)
        try:
            self._version = await shards.write(self._maps, _KEPT, text, self._version)
        except Conflict:  # the answer of an earlier write got lost, or somebody deleted it
            self._version = await shards.version_of(self._maps, _KEPT)
            self._version = await shards.write(self._maps, _KEPT, text, self._version)
        return PACE * max(1, len(self._version.pieces))


def _text(history: History) -> str:
    return base64.b85encode(zlib.compress(msgspec.json.encode(history.stored()))).decode("ascii")


def _history(text: str) -> History:
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(base64.b85decode(text), _LARGEST)
    return History.of(msgspec.json.decode(data, type=StoredHistory))
