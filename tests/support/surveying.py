"""Asking for drift once, as `reconciler drift` does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from world import World

from reconciler.drift.survey import Survey


@asynccontextmanager
async def surveying(w: World) -> AsyncIterator[Survey]:
    """What somebody has who looks at the source "shop" with a client of their own, beside the daemon."""
    source = w.sources["shop"]
    assert source.desired is not None
    cluster = w.new_cluster()
    try:
        await cluster.discovery.refresh()
        survey = Survey(source.config, source.owner, cluster, source.desired.manifests, clock=w.clock)
        await survey.follow()
        yield survey
    finally:
        await cluster.close()
