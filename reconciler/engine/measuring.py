"""What the planned workloads use: asked every interval, kept in the cluster, told as a frozen Usage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from random import Random
from typing import Final, Protocol

from reconciler.clock import Clock
from reconciler.errors import ReconcilerError
from reconciler.http.retry import pauses
from reconciler.kube.names import Identity
from reconciler.model.usage import Killed, Measurement, Usage
from reconciler.usage.history import History

Ask = Callable[[frozenset[str], datetime], Awaitable[tuple[Measurement, ...]]]
"""What the containers of some namespaces use at a time. Raises UsageError; may answer for more namespaces."""

_FIRST_PAUSE: Final = 1.0  # seconds
_LONGEST_PAUSE: Final = 60.0
_GLANCE: Final = 5.0  # seconds
_LAST_WRITE: Final = 0.5  # seconds: a daemon that ends has five for everything

logger = logging.getLogger(__name__)


class Pods(Protocol):
    """What is known of pods: reconciler.cluster.roster.Roster."""

    def workload(self, pod: Identity) -> Identity | None: ...

    def killed(self) -> tuple[Killed, ...]: ...


class HistoryStore(Protocol):
    """Where a history outlives us. Both raise ReconcilerError."""

    async def read(self) -> History: ...

    async def write(self, history: History) -> float:
        """Keep it; returns the seconds to wait at least before the next time."""
        ...


class Measuring:
    """Measures for as long as `run` runs. `problem` is why the last attempt told nothing, "" where it did.

    What cannot be measured changes nothing: what was known stays, and `latest` of a container says how old it is.
    `ours` says at this instant whether we are the one that plans: another one measures for itself, and keeps what it
    found in the same place.
    """

    def __init__(
        self,
        pods: Pods,
        ask: Ask,
        store: HistoryStore,
        *,
        interval: float,
        clock: Clock,
        random: Random,
        ours: Callable[[], bool] = lambda: True,
    ) -> None:
        self.problem = ""
        self._ours = ours
        self._pods = pods
        self._ask = ask
        self._store = store
        self._interval = interval
        self._clock = clock
        self._random = random
        self._planned: Mapping[Identity, Identity] = {}
        self._history = History()
        self._usage: Usage | None = None
        self._due = float("-inf")  # when it may be written next
        self._unwritten = False

    def plan_for(self, planned: Mapping[Identity, Identity]) -> None:
        """Measure these from now on: from a workload of Kubernetes to the identity under which it is planned.

        Without one no request is made.
        """
        self._planned = planned

    def usage(self) -> Usage:
        """All that is known, by the identity under which a workload is planned. Asks nobody."""
        if self._usage is None:
            self._usage = self._history.usage()
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
                await self.measure()
                await self._write()
                await self._clock.sleep(self._interval * self._random.uniform(0.95, 1.05))
        finally:
            await self._end()

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
            return
        self.problem = ""
        for each in found:
            workload = self._pods.workload(each.pod)
            identity = planned.get(workload) if workload is not None else None
            if identity is not None:
                self._history.observe(
                    identity, each.container, cpu=each.cpu, memory=each.memory, when=each.when, now=now
                )
        for killed in self._pods.killed():
            if (identity := planned.get(killed.workload)) is not None:
                self._history.killed(identity, killed.container, memory=killed.memory, when=killed.when)
        self._history.forget(now)
        self._usage = None
        self._unwritten = True

    def _fail(self, problem: str) -> None:
        if problem != self.problem:
            logger.warning("usage is not measured, what was known stays: %s", problem)
        self.problem = problem

    async def _load(self) -> None:
        """However long it takes: to begin without what was kept would be to overwrite it."""
        backoff = pauses(self._random, _FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                self._history = await self._store.read()
            except ReconcilerError as error:
                self._fail(str(error))
                await self._clock.sleep(next(backoff))
            else:
                self._usage, self._unwritten, self.problem = None, False, ""
                return

    async def _write(self) -> None:
        if not self._unwritten or self._clock.monotonic() < self._due or not self._ours():
            return
        try:
            pause = await self._store.write(self._history)
        except ReconcilerError as error:
            logger.warning("the history of usage is not written yet: %s", error)
        else:
            self._due = self._clock.monotonic() + pause
            self._unwritten = False

    async def _end(self) -> None:
        self._due = float("-inf")  # the last write does not wait for its turn
        try:
            async with asyncio.timeout(_LAST_WRITE):
                await self._write()
        except TimeoutError:
            logger.warning("the history of usage was not written at the end")
