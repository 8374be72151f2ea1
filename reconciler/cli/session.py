"""A connection to the cluster for the length of one command."""

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.cluster.install import find_install
from reconciler.cluster.state import StateStore
from reconciler.errors import NotFound
from reconciler.kube.names import GroupKind
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Owner
from reconciler.model.state import SourceState


@dataclass(frozen=True, slots=True)
class Session:
    cluster: Cluster
    store: StateStore
    clock: Clock
    random: Random

    async def scopes(self) -> Mapping[GroupKind, bool]:
        """Which kinds the cluster serves, and whether they are namespaced."""
        await self.cluster.discovery.refresh()
        return {kind: resource.namespaced for kind, resource in self.cluster.discovery.resources.items()}

    async def install(self, *, make: bool) -> str:
        """Who we are in this cluster. Without `make` nothing is written: a cluster without one gets a placeholder."""
        if make:
            return await self.store.install(None)
        return await self.store.installed() or await find_install(self.cluster.server) or "new"

    async def state(self, source: str) -> SourceState:
        """What is remembered of a source; nothing, where the state's namespace does not exist yet."""
        try:
            return await self.store.load(source)
        except NotFound:
            return SourceState(source)

    @staticmethod
    def owner(source: str, install: str) -> Owner:
        return Owner(install, source)


@asynccontextmanager
async def session(args: argparse.Namespace) -> AsyncIterator[Session]:
    """Connect as the flags of `cluster_flags` say; what was to be stored is stored at the end."""
    clock, random = SystemClock(), Random()  # noqa: S311 - jitter
    cluster = await connect(args.kubeconfig, args.context, clock=clock, random=random)
    try:
        store = StateStore(cluster, args.state_namespace, clock=clock)
        yield Session(cluster, store, clock, random)
        await store.close()
    finally:
        await cluster.close()


def folder_config(args: argparse.Namespace) -> SourceConfig:
    """A folder as if the daemon watched it."""
    return SourceConfig(
        name=args.source,
        url=args.path,
        paths=tuple(part.strip() for part in args.paths.split(",") if part.strip()),
        namespace=args.namespace,
        adopt=args.adopt,
    )
