"""The newest plan in ConfigMaps, as JSON: the planner of the cluster writes it, everybody else reads it."""

import asyncio
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster import shards
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.configmaps import ConfigMaps
from reconciler.errors import Conflict
from reconciler.model.planned import PlannedCluster, read, text_of

PACE: Final = 10.0  # seconds between two writes, for each ConfigMap that one takes
_KEPT: Final = shards.Kept(
    "reconciler-plan", "the published plan", "nothing", {}, ("reconciler.dev/plan-piece", "true")
)


class PlanMaps:
    """In `namespace`. Reading and writing raise ApiError, TransportError and ConfigError."""

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock) -> None:
        self._maps = ConfigMaps(cluster.server.api, namespace)
        self._clock = clock
        self._version: shards.Version | None = None  # as it was last written, None before

    async def read(self) -> PlannedCluster | None:
        """What is published; None where nothing is. ConfigError where it makes no sense."""
        text, _ = await shards.read(self._maps, _KEPT)
        try:
            return await asyncio.to_thread(read, text) if text else None
        except ValueError as error:
            unreadable = _KEPT.unreadable()
            unreadable.why = str(error)
            raise unreadable from None

    async def write(self, plan: PlannedCluster) -> float:
        """Publish `plan`, whatever is there; returns the seconds to wait until the next time."""
        text = await asyncio.to_thread(text_of, plan)
        try:
            if self._version is None:
                self._version = await shards.version_of(self._maps, _KEPT)
                await shards.tidy(self._maps, _KEPT, self._version, self._clock.now())
            self._version = await shards.write(self._maps, _KEPT, text, self._version)
        except Conflict:  # the answer of an earlier write got lost, or another planner wrote meanwhile
            self._version = await shards.version_of(self._maps, _KEPT)
            self._version = await shards.write(self._maps, _KEPT, text, self._version)
        return PACE * max(1, len(self._version.pieces))
