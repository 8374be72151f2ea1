"""Waiting until what a pass applied does what it is for."""

import asyncio
from collections.abc import Mapping

from reconciler.cluster.cache import LiveCache
from reconciler.engine.readiness import Readiness, ready
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.health import Health
from reconciler.model.result import Outcome, SyncResult


async def settle(cache: LiveCache, result: SyncResult, *, timeout: float) -> Mapping[Identity, Health]:
    """Wait until every object that `result` applied is ready or can no longer become so.

    Returns those that are not ready after `timeout` seconds, or degraded, with their health.
    """
    wanted = [
        each.identity
        for each in result.results.values()
        if each.outcome is Outcome.DONE and each.action not in (Action.PRUNE, Action.KEEP)
    ]
    with Readiness(cache) as readiness:
        waits = {identity: asyncio.ensure_future(readiness.wait(identity, ready)) for identity in sorted(wanted)}
        if waits:
            _done, late = await asyncio.wait(waits.values(), timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
    states = {identity: ready(cache.get(identity)) for identity in waits}
    return {identity: health for identity, health in states.items() if not health.ready}
