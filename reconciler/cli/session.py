"""A connection to the cluster for the length of one command."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.cluster.install import find_install
from reconciler.cluster.state import StateStore
from reconciler.errors import ConfigError, NotFound, TransportError
from reconciler.http.transport import Request
from reconciler.kube.names import GroupKind
from reconciler.model.manifest import Owner
from reconciler.model.state import SourceState

_SILENCE: Final = 2.0  # seconds after which a person is told what is waited for
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Session:
    cluster: Cluster
    store: StateStore
    namespace: str  # of the store
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

    async def known(self, source: str | None) -> str:
        """`source`, if the cluster remembers it; without one, the only source. Raises ConfigError."""
        names = await self.store.sources()
        if source in names:
            return str(source)
        if not names:
            raise ConfigError(
                f"no source has a state in namespace {self.namespace}",
                hint="it gets one with its first pass; is --state-namespace right?",
            )
        if source is None and len(names) == 1:
            return names[0]
        what = f"there is no source {source!r}" if source else "there are several sources"
        raise ConfigError(what, hint=f"name one of {', '.join(names)}")

    @staticmethod
    def owner(source: str, install: str) -> Owner:
        return Owner(install, source)


@asynccontextmanager
async def session(args: argparse.Namespace) -> AsyncIterator[Session]:
    """Connect as the flags of `cluster_flags` say; what was to be stored is stored at the end."""
    clock, random = SystemClock(), Random()  # noqa: S311 - jitter
    cluster = await connect(args.kubeconfig, args.context, clock=clock, random=random)
    try:
        await _reach(cluster)
        store = StateStore(cluster, args.state_namespace, clock=clock)
        yield Session(cluster, store, args.state_namespace, clock, random)
        await store.close()
    finally:
        await cluster.close()


async def _reach(cluster: Cluster) -> None:
    """Say within seconds that nobody answers: the retries that a daemon needs would keep a person waiting for a minute.

    Raises TransportError.
    """
    asked = asyncio.ensure_future(cluster.transport.send(Request("GET", "/version", timeout=_PATIENCE)))
    if not (await asyncio.wait({asked}, timeout=_SILENCE))[0]:
        sys.stderr.write("waiting for the API server …\n")
    try:
        await asked
    except TransportError as error:
        raise TransportError(
            "the API server does not answer",
            why=error.why or error.what,
            hint="is it running, and is its address in the kubeconfig right? --kubeconfig and --context choose another",
        ) from None
