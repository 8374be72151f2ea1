"""What was measured, in ConfigMaps, compressed: some 110 characters for each container, 4,000 for each demand."""

import asyncio
import base64
import logging
import zlib
from abc import ABC, abstractmethod
from typing import ClassVar, Final, Generic, TypeVar

import msgspec

from reconciler.clock import Clock
from reconciler.cluster import shards
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.configmaps import ConfigMaps
from reconciler.errors import ConfigError, Conflict
from reconciler.usage.demands import Demands, StoredDemands
from reconciler.usage.history import History, StoredHistory

PACE: Final = 60.0  # seconds between two writes of histories, for each ConfigMap that one takes
DEMAND_PACE: Final = 300.0  # of demand, at most twice as long: a restart forgets what is newer
_LARGEST: Final = 256 * 1024 * 1024  # bytes when unpacked: others can write to where it is stored

logger = logging.getLogger(__name__)

T = TypeVar("T", History, Demands)


class _Maps(ABC, Generic[T]):
    """A Store of `reconciler.engine.keeping`. One process at a time writes."""

    kept: ClassVar[shards.Kept]

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock) -> None:
        self._maps = ConfigMaps(cluster.server.api, namespace)
        self._clock = clock
        self._version = shards.NOTHING

    async def read(self) -> T:
        """What is kept; nothing where there is none, or none that makes sense. Raises ApiError, TransportError."""
        found = await self.look()
        await shards.tidy(self._maps, self.kept, self._version, self._clock.now())
        return found

    async def look(self) -> T:
        """As `read`, and nothing is written: what an earlier life left over stays."""
        try:
            text, self._version = await shards.read(self._maps, self.kept)
            return await asyncio.to_thread(self._of, _unpacked(text) if text else b"")
        except (ConfigError, ValueError, OverflowError, RecursionError, zlib.error):
            logger.warning("%s; measuring begins anew", self.kept.unreadable())
            return self._of(b"")

    async def write(self, value: T) -> float:
        """Keep `value`, whatever is there; returns the seconds to wait until the next time."""
        text = await asyncio.to_thread(lambda: _packed(self._data(value)))
        try:
            self._version = await shards.write(self._maps, self.kept, text, self._version)
        except Conflict:  # the answer of an earlier write got lost, or somebody deleted it
            self._version = await shards.version_of(self._maps, self.kept)
            self._version = await shards.write(self._maps, self.kept, text, self._version)
        return self._pause(max(1, len(self._version.pieces)))

    @abstractmethod
    def _of(self, data: bytes) -> T:
        """From what `_data` made; empty from nothing."""

    @abstractmethod
    def _data(self, value: T) -> bytes: ...

    @abstractmethod
    def _pause(self, pieces: int) -> float: ...


class HistoryMaps(_Maps[History]):
    """What containers used."""

    kept = shards.Kept(
        "reconciler-usage",
        "the stored history of usage",
        "what was measured",
        {},
        ("reconciler.dev/usage-piece", "true"),
    )

    def _of(self, data: bytes) -> History:
        return History.of(msgspec.json.decode(data, type=StoredHistory)) if data else History()

    def _data(self, value: History) -> bytes:
        return msgspec.json.encode(value.stored())

    def _pause(self, pieces: int) -> float:
        return PACE * pieces


class DemandMaps(_Maps[Demands]):
    """What workloads were asked for."""

    kept = shards.Kept(
        "reconciler-demand",
        "the stored history of demand",
        "what was measured",
        {},
        ("reconciler.dev/demand-piece", "true"),
    )

    def _of(self, data: bytes) -> Demands:
        return Demands.of(msgspec.msgpack.decode(data, type=StoredDemands)) if data else Demands()

    def _data(self, value: Demands) -> bytes:
        return msgspec.msgpack.encode(value.stored())

    def _pause(self, pieces: int) -> float:
        return DEMAND_PACE * min(pieces, 2)


def _packed(data: bytes) -> str:
    return base64.b85encode(zlib.compress(data)).decode("ascii")


def _unpacked(text: str) -> bytes:
    return zlib.decompressobj().decompress(base64.b85decode(text), _LARGEST)
