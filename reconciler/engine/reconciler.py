"""One source kept converged: `reconcile` is the whole product as a recipe."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.engine.claims import Claims
from reconciler.engine.decide import Decider
from reconciler.engine.execute import WRITES, Execution
from reconciler.engine.healing import Healing
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.config import SourceConfig
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.manifest import DriftMode, Manifest, Manifests, Owner
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Blobs, Snapshot
from reconciler.model.spec import Specs
from reconciler.planner.identity import plan
from reconciler.render.render import Renderer
from reconciler.source.repository import Poll
from reconciler.specs.load import Loader

_RETRY_FIRST = 2.0
_RETRY_LONGEST = 300.0
# Watch events come in bursts (a rollout touches an object many times): look once they have settled a little.
_SUSPECT_DELAY = 0.05


class Repository(Blobs, Protocol):
    """What the engine asks of a source."""

    async def poll(self) -> Poll: ...

    async def messages(self, old: str, new: str) -> tuple[str, ...]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sources of one daemon share."""

    cluster: Cluster
    store: StateStore
    install: str
    claims: Claims
    clock: Clock
    random: Random
    emit: Sink
    concurrency: int = 8
    wait_timeout: float = 600.0


class Reconciler:
    """Keeps one source converged.

    `poll` asks Git, `work` does what is due: a pass over a new revision, or healing. Both may be called at any time;
    `poll` may run beside `work`, two calls of `work` may not overlap. Everything held here can be lost: it is made
    again from Git and the cluster.
    """

    def __init__(self, config: SourceConfig, repository: Repository, surroundings: Surroundings) -> None:
        self.config = config
        self.owner = Owner(surroundings.install, config.name)
        self.on_suspect: Callable[[float], None] = lambda _delay: None
        self._repository = repository
        self._with = surroundings
        self._loader = Loader()
        self._renderer = Renderer()
        self._decider = Decider(config, self.owner, surroundings.cluster, surroundings.claims)
        self._healing = Healing(surroundings.clock)
        self._snapshot: Snapshot | None = None
        self._done: str | None = None  # the commit of the last pass that ran to its end
        self._manifests = Manifests({})
        self._suspects: set[Identity] = set()
        self._superseded = asyncio.Event()
        self._failures = 0
        self._unreachable = False
        self._unsubscribe: Callable[[], None] = surroundings.cluster.cache.subscribe(self._seen)

    # -- what is to be done -------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether a pass has run to its end since the start."""
        return self._done is not None

    @property
    def due(self) -> bool:
        """Whether Git has a revision that no pass has been made over yet."""
        return self._snapshot is not None and self._snapshot.revision.commit != self._done and not self.config.suspend

    @property
    def retry_delay(self) -> float | None:
        """Seconds until what failed is to be tried again; None where nothing failed."""
        if not self._failures:
            return None
        longest = min(_RETRY_LONGEST, _RETRY_FIRST * 2.0 ** (self._failures - 1))
        return longest * self._with.random.uniform(0.8, 1.2)

    def supersede(self) -> None:
        """Let a running pass end early: writes in flight end, nothing new starts."""
        self._superseded.set()

    async def poll(self) -> Poll:
        """Ask Git once. On an error the last good revision stays in force."""
        poll = await self._repository.poll()
        if poll.error is not None:
            if not self._unreachable:
                self._emit(EventType.SOURCE_UNREACHABLE, str(poll.error))
            self._unreachable = True
        elif self._unreachable:
            self._unreachable = False
            self._emit(EventType.SOURCE_RECOVERED, "the repository answers again")
        if poll.snapshot is not None and poll.snapshot != self._snapshot:
            newer = self._snapshot is not None
            self._snapshot = poll.snapshot
            if newer:
                self.supersede()
        return poll

    async def work(self) -> SyncResult | None:
        """Do what is due: a pass where there is a new revision or something failed, else heal what drifted."""
        if self._snapshot is None or await self._suspended():
            return None
        if self.due or self._failures:
            return await self.reconcile(self._snapshot)
        await self.heal()
        return None

    # -- a pass -------------------------------------------------------------------------------------------------------

    async def reconcile(self, snapshot: Snapshot) -> SyncResult:
        """One pass: from a revision to a converged cluster."""
        self._superseded.clear()
        started = self._with.clock.now()
        self._emit(EventType.SYNC_STARTED, snapshot.revision.subject)
        try:
            specs = await self.load(snapshot)
            manifests = self.render(specs)
            await self.observe(manifests)
            changes = await self.decide(snapshot, specs, manifests)
            results = await self.execute(changes, manifests)
        except ReconcilerError as error:
            self._failures += 1
            self._emit(EventType.SYNC_FAILED, str(error))
            raise
        result = SyncResult(
            self.config.name,
            snapshot.revision,
            started,
            self._with.clock.now(),
            results,
            (*specs.problems, *manifests.problems),
            superseded=self._superseded.is_set(),
        )
        await self.record(snapshot, result)
        return result
