"""What the planned workloads use: asked every interval, kept in the cluster, told as a frozen Usage."""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, Protocol

from reconciler.clock import Clock
from reconciler.engine.demanding import NOBODY, Demanding, Follows
from reconciler.engine.keeping import Keeper, Store
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.usage import Killed, Measurement, Usage
from reconciler.usage.demands import Demands
from reconciler.usage.history import History
from reconciler.usage.sense import nonsense

Ask = Callable[[frozenset[str], datetime], Awaitable[tuple[Measurement, ...]]]
"""What the containers of some namespaces use at a time. Raises UsageError; may answer for more namespaces."""

_GLANCE: Final = 5.0  # seconds
_MEASURED: Final = timedelta(minutes=5)  # within which a new pod is measured

logger = logging.getLogger(__name__)


class Pods(Protocol):
    """What is known of pods: reconciler.cluster.roster.Roster."""

    def workload(self, pod: Identity) -> Identity | None: ...

    def ready(self, since: datetime) -> Mapping[Identity, Collection[Identity]]: ...

    def killed(self) -> tuple[Killed, ...]: ...


class Measuring:
    """Measures for as long as `run` runs. `problem` is why the last attempt told nothing, "" where it did; `strange`
    what it told that cannot be meant, and was left out.

    What cannot be measured changes nothing: what was known stays, and `latest` of a container says how old it is.
    `ours` says at this instant whether we are the one that plans: another one measures for itself, and keeps what it
    found in the same place.
    """

    def __init__(
        self,
        pods: Pods,
        ask: Ask,
        store: Store[History],
        *,
        demanding: Demanding | None = None,
        interval: float,
        clock: Clock,
        random: Random,
        ours: Callable[[], bool] = lambda: True,
    ) -> None:
        self.problem = ""
        self.strange = ""
        self._ours = ours
        self._pods = pods
        self._ask = ask
        self._kept = Keeper(store, History(), "the history of usage", ours=ours, clock=clock, random=random)
        self._demanding = demanding
        self._interval = interval
        self._clock = clock
        self._random = random
        self._planned: Mapping[Identity, Identity] = {}
        self._usage: Usage | None = None

    def plan_for(self, planned: Mapping[Identity, Identity], follows: Follows = NOBODY) -> None:
        """Measure these from now on: from a workload of Kubernetes to the identity under which it is planned.

        `follows` says what replicas of them follow. Without a workload no request is made.
        """
        self._planned = planned
        if self._demanding is not None:
            self._demanding.follow(follows)
            self._usage = None

    def usage(self) -> Usage:
        """All that is known, by the identity under which a workload is planned. Asks nobody."""
        if self._usage is None:
            self._usage = self._kept.value.usage()
            if (own := self._demanding) is not None:
                self._usage = replace(self._usage, demand=own.demand(), lacking=own.lacking(self.problem))
        return self._usage

    async def run(self) -> None:
        """Read what was kept, then measure every interval, until cancelled; what is not written yet is, then."""
        await self._load()
        current = self._ours()
        try:
            while True:
                if not self._ours():
                    current = False
                    await self._clock.sleep(_GLANCE)
                    continue
                if not current:  # another one measured meanwhile
                    await self._load()
                    current = True
                try:
                    await self.measure()
                    for kept in self._keepers():
                        await kept.write()
                except Exception as error:
                    logger.exception("measuring failed; it goes on")
                    self.problem = f"measuring failed: {error!r}"
                await self._clock.sleep(self._interval * self._random.uniform(0.95, 1.05))
        finally:
            for kept in self._keepers():
                await kept.end()

    async def measure(self) -> None:
        """Ask once, and take in what is said of the planned workloads."""
        planned = self._planned
        if not planned:
            return
        now = self._clock.now()
        try:
            found = await self._ask(frozenset(workload.namespace for workload in planned), now)
        except ReconcilerError as error:
            self._fail(error.advised)
        else:
            self.problem = ""
            self._take(found, now)
        if self._demanding is not None:
            await self._demanding.ask(planned, now)
            self._usage = None

    def _take(self, found: Sequence[Measurement], now: datetime) -> None:
        history = self._kept.value
        meant = tuple(self._meant(found, now))
        for each in meant:
            if (identity := self._identity(each.pod)) is not None:
                history.observe(identity, each.container, cpu=each.cpu, memory=each.memory, when=each.when, now=now)
        if self._demanding is not None:
            self._demanding.take(meant, self._identity, now, self._expected(now))
        for killed in self._pods.killed():
            if (identity := self._planned.get(killed.workload)) is not None:
                history.killed(identity, killed.container, memory=killed.memory, when=killed.when, now=now)
        history.forget(now)
        self._kept.changed()
        self._usage = None

    def _meant(self, found: Sequence[Measurement], now: datetime) -> Iterator[Measurement]:
        """Those of our pods that make sense; the others are stated, and logged when there are the first of them."""
        strange = ""
        for each in found:
            if self._identity(each.pod) is None:
                continue
            why = nonsense(cpu=each.cpu, memory=each.memory, when=each.when, now=now)
            if not why:
                yield each
            strange = strange or (why and f"{each.pod}, {each.container}: {why}")
        if strange and not self.strange:
            logger.warning("measurements that cannot be meant are left out, such as of %s", strange)
        self.strange = strange

    def _expected(self, now: datetime) -> Mapping[Identity, Collection[Identity]]:
        """The pods of each planned workload that are to be measured by now."""
        found: dict[Identity, list[Identity]] = {}
        for workload, pods in self._pods.ready(now - _MEASURED).items():
            if (identity := self._planned.get(workload)) is not None:  # of one with shares there are several
                found.setdefault(identity, []).extend(pods)
        return found

    def _identity(self, pod: Identity) -> Identity | None:
        """Under which identity a pod that is there is planned."""
        workload = self._pods.workload(pod)
        return self._planned.get(workload) if workload is not None else None

    def _fail(self, problem: str) -> None:
        if problem != self.problem:
            logger.warning("usage is not measured, what was known stays: %s", problem)
        self.problem = problem

    async def _load(self) -> None:
        for kept in self._keepers():
            await kept.load(self._fail)
        self._usage, self.problem = None, ""

    def _keepers(self) -> Iterator[Keeper[History] | Keeper[Demands]]:
        yield self._kept
        if self._demanding is not None:
            yield self._demanding.kept
