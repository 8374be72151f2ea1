"""Waiting until what a pass applied does what it is for."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from reconciler.cluster.cache import LiveCache
from reconciler.engine.readiness import Readiness, ready
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.health import Health
from reconciler.model.result import Outcome, SyncResult

_PACE = 5.0  # seconds between two words on what is waited for


async def settle(
    cache: LiveCache,
    result: SyncResult,
    *,
    timeout: float,
    waiting: Callable[[Mapping[Identity, Health]], None] = lambda _late: None,
) -> Mapping[Identity, Health]:
    """Wait until every object that `result` applied is ready or can no longer become so.

    Returns those that are not ready after `timeout` seconds, or degraded, with their health. `waiting` is told every
    five seconds what is still waited for.
    """
    wanted = [
        each.identity
        for each in result.results.values()
        if each.outcome is Outcome.DONE and each.action not in (Action.PRUNE, Action.KEEP)
    ]
    with Readiness(cache) as readiness:
        late = {asyncio.ensure_future(readiness.wait(identity, ready)) for identity in sorted(wanted)}
        while late and timeout > 0:
            _done, late = await asyncio.wait(late, timeout=min(_PACE, timeout))
            timeout -= _PACE
            if late:
                waiting(_unready(cache, wanted))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    return _unready(cache, wanted)


def _unready(cache: LiveCache, identities: Iterable[Identity]) -> Mapping[Identity, Health]:
    states = {identity: ready(cache.get(identity)) for identity in sorted(identities)}
    return {identity: health for identity, health in states.items() if not health.ready}
