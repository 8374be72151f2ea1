"""The health of what we own: said when it begins to be bad and when it is good again, however often it changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cache import LiveCache, pack
from reconciler.daemon.healths import Healths
from reconciler.kube.names import Identity
from reconciler.model.event import Event
from reconciler.model.health import Status

WEB = Identity("apps", "Deployment", "shop", "web")
GOOD = {"type": "Available", "status": "True"}
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "no progress"}


class Followed:
    def __init__(self) -> None:
        self.cache = LiveCache()
        self.clock = LoopClock()
        self.events: list[Event] = []
        self.healths = Healths(self.cache, "test", self.clock, self.events.append)
        self.version = 0

    def put(self, *conditions: dict[str, Any], install: str = "test", source: str = "shop", good: int = 1) -> None:
        self.version += 1
        status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": good}
        body = {
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "generation": 1,
                "annotations": {"reconciler.dev/id": f"{install}/{source}/apps/Deployment/shop/web"},
                "managedFields": [{"manager": "reconciler", "operation": "Apply"}],
            },
            "spec": {"replicas": 1},
            "status": {**status, "availableReplicas": good, "conditions": list(conditions)},
        }
        packed = pack(json.dumps(body).encode(), version=str(self.version), source=source, api_version="apps/v1")
        self.cache.put(WEB, packed)

    def said(self) -> list[tuple[str, str]]:
        return [(event.type.value, event.source) for event in self.events]


@asynccontextmanager
async def followed() -> AsyncIterator[Followed]:
    it = Followed()
    task = asyncio.ensure_future(it.healths.follow())
    await it.clock.sleep(0)
    try:
        yield it
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@virtual
async def test_the_beginning_and_the_end_are_said_once() -> None:
    async with followed() as it:
        for conditions, good in (((GOOD,), 1), ((STUCK,), 0), ((STUCK,), 0), ((GOOD,), 1), ((GOOD,), 1)):
            it.put(*conditions, good=good)
            await it.clock.sleep(10)
        assert it.said() == [("degraded", "shop"), ("healthy", "shop")]
        assert it.healths.of("shop")[WEB].status is Status.HEALTHY


@virtual
async def test_a_burst_is_looked_at_once_it_is_over() -> None:
    async with followed() as it:
        for _ in range(20):
            it.put(STUCK, good=0)
            it.put(GOOD)
            await it.clock.sleep(0.1)
        await it.clock.sleep(1)
        assert not it.events


@virtual
async def test_what_is_never_quiet_is_looked_at_all_the_same() -> None:
    async with followed() as it:
        for _ in range(80):
            it.put(STUCK, good=0)
            await it.clock.sleep(0.1)
        assert it.said() == [("degraded", "shop")]


@virtual
async def test_what_is_gone_or_another_sources_is_no_concern_of_ours_any_more() -> None:
    async with followed() as it:
        it.put(STUCK, good=0)
        await it.clock.sleep(1)
        it.put(STUCK, source="other", good=0)
        await it.clock.sleep(1)
        it.cache.remove(WEB)
        await it.clock.sleep(1)
        assert it.said() == [
            ("degraded", "shop"),
            ("healthy", "shop"),
            ("degraded", "other"),
            ("healthy", "other"),
        ]
        assert not it.healths.of("shop")
        assert not it.healths.of("other")


@pytest.mark.parametrize("install", ["another", ""])
@virtual
async def test_another_installs_objects_are_not_ours(install: str) -> None:
    async with followed() as it:
        it.put(STUCK, install=install, good=0)
        await it.clock.sleep(1)
        assert not it.events
        assert not it.healths.of("shop")


@virtual
async def test_an_outage_is_said_after_a_minute_in_which_nothing_happens() -> None:
    async with followed() as it:
        done = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        it.put(done, GOOD)
        await it.clock.sleep(10)
        since = it.clock.now().isoformat()
        it.put(
            done, {"type": "Available", "status": "False", "message": "no pods", "lastTransitionTime": since}, good=0
        )
        await it.clock.sleep(50)
        assert it.said() == []
        await it.clock.sleep(20)
        assert it.said() == [("degraded", "shop")]
        assert "no pods" in it.events[0].message
        await it.clock.sleep(3600)
        it.put(done, GOOD)
        await it.clock.sleep(10)
        assert it.said() == [("degraded", "shop"), ("healthy", "shop")]
