"""What a source is given, and what it wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Protocol

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.engine.claims import Claims
from reconciler.engine.filling import Planning
from reconciler.engine.images import Known, Trees
from reconciler.kube.names import Identity
from reconciler.model.event import Sink
from reconciler.model.filled import Filling
from reconciler.model.manifest import Manifests
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.problem import Problem
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Revision, Snapshot
from reconciler.model.spec import Specs
from reconciler.source.repository import Poll


class Repository(Trees, Protocol):
    """What the engine asks of a source."""

    async def poll(self) -> Poll: ...

    async def messages(self, old: str, new: str) -> tuple[str, ...]: ...

    async def blame(self, path: str, rev: str) -> tuple[Revision | None, ...]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sources of one daemon share. `wait_timeout` is in seconds, for one dependency; `planner` is how
    `planning` is configured."""

    cluster: Cluster
    store: StateStore
    install: str
    claims: Claims
    clock: Clock
    random: Random
    emit: Sink
    concurrency: int = 8
    wait_timeout: float = 600.0
    planning: Planning | None = None
    planner: PlannerConfig | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    """What the last pass wanted."""

    snapshot: Snapshot
    specs: Specs
    manifests: Manifests
    images: Known = field(default_factory=Known)
    filling: Filling = field(default_factory=dict)
    poolless: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the revision."""
        return (*self.specs.problems, *self.manifests.problems, *self.images.problems, *self.poolless)

    @property
    def doubtful(self) -> bool:
        """Whether Git states more than could be understood."""
        return bool(self.specs.quarantined or self.specs.unknown or self.manifests.unrendered)

    def result(
        self, source: str, started: datetime, finished: datetime, results: Mapping[Identity, ObjectResult]
    ) -> SyncResult:
        """What a pass made of it."""
        return SyncResult(
            source,
            self.snapshot.revision,
            started,
            finished,
            results,
            self.problems,
            superseded=any(each.outcome is Outcome.SUPERSEDED for each in results.values()),
            parsed=self.specs.parsed,
            rendered=self.manifests.rendered,
        )
