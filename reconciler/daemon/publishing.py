"""The newest plan, for people: kept to look at, told of, and published in the cluster, where the command line reads it.

A daemon that waits for its turn to plan reads what the other one published.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.clock import Clock
from reconciler.daemon.page.status import Newest
from reconciler.daemon.unplaced import Unplaced
from reconciler.engine.filling import Records
from reconciler.engine.planning import Made
from reconciler.engine.showing import curve_of, known, show
from reconciler.errors import ReconcilerError
from reconciler.model.planned import PlannedCluster

if TYPE_CHECKING:
    from reconciler.planner.curves import Curve

_GLANCE: Final = 30.0  # seconds between two looks at what another planner published, and between two attempts to write
_CREDIT: Final = 20.0  # seconds of waiting that may be owed: who looks after a commit finds the plan of it
_LAST_WRITE: Final = 1.0  # seconds: a daemon that ends has five for everything

logger = logging.getLogger(__name__)


class Store(Protocol):
    """Where plans are published: reconciler.engine.plans.PlanMaps."""

    async def read(self) -> PlannedCluster | None: ...

    async def write(self, plan: PlannedCluster) -> float: ...


class Observer(Protocol):
    def planned(self, seconds: float) -> None:
        """A plan was made, in so many seconds."""
        ...


class Publisher:
    """`made` takes each plan and never blocks; `run` does the rest. `newest` is the plan to look at, ours or another's.

    `holder` is who we are, `ours` says whether it is us who plan.
    """

    def __init__(
        self,
        store: Store,
        records: Records,
        unplaced: Unplaced,
        *,
        holder: str,
        ours: Callable[[], bool],
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.newest: Newest | None = None
        self._store = store
        self._records = records
        self._unplaced = unplaced
        self._holder = holder
        self._ours = ours
        self._clock = clock
        self._observer = observer
        self._made: Made | None = None
        self._woken = asyncio.Event()
        self._unwritten: PlannedCluster | None = None
        self._due = self._paid = float("-inf")  # when the next write may be; when all are waited for
        self._problem = ""

    def made(self, made: Made) -> None:
        """A plan is there."""
        self._observer.planned(made.seconds)
        self._made = made
        self._woken.set()

    def changed(self) -> None:
        """Another plans now, or we do again."""
        self._woken.set()

    async def run(self) -> None:
        """Show, tell and publish until cancelled; what is not published yet is, then."""
        try:
            while True:
                await self._turn()
                waits = self._unwritten is not None and self._ours()
                pause = max(0.0, self._due - self._clock.monotonic()) if waits else _GLANCE
                try:
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                self._woken.clear()
        finally:
            if self._unwritten is not None and self._ours():
                try:
                    async with asyncio.timeout(_LAST_WRITE):
                        await self._store.write(self._unwritten)
                except (ReconcilerError, TimeoutError) as error:
                    logger.warning("the last plan was not published: %s", error)

    async def _turn(self) -> None:
        made, self._made = self._made, None
        try:
            if not self._ours():
                await self._look()
                return
            if made is not None:
                await self._show(made)
            if self._unwritten is not None and self._clock.monotonic() >= self._due:
                await self._publish(self._unwritten)
        except ReconcilerError as error:
            self._fail(f"{error}; {error.hint}" if error.hint else str(error))
        except Exception:
            logger.exception("the plan cannot be shown; it is acted on all the same")
        else:
            self._problem = ""

    async def _look(self) -> None:
        """What is published. Only where that is another's do we not plan any more: a lease is also lost for a while
        where the API server does not answer."""
        plan = await self._store.read()
        self.newest = Newest(plan, plan.made) if plan is not None else None
        self._unwritten = None
        if plan is not None and plan.holder != self._holder:
            self._unplaced.leave()

    async def _show(self, made: Made) -> None:
        plan, nodes = await asyncio.to_thread(show, made, known(made, self._records), self._holder)
        before = self.newest.plan if self.newest is not None else None
        if before is not None and before.holder == self._holder and plan.same(before):
            self.newest = Newest(before, made.at, nodes, partial(_curve, made))
            return
        self.newest = Newest(plan, made.at, nodes, partial(_curve, made))
        self._unplaced.take(plan.workloads)
        self._unwritten = plan

    async def _publish(self, plan: PlannedCluster) -> None:
        self._due = self._clock.monotonic() + _GLANCE  # where this fails
        self._paid = max(self._paid, self._clock.monotonic()) + await self._store.write(plan)
        self._due = self._paid - _CREDIT
        if self._unwritten is plan:
            self._unwritten = None

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("the plan is not published, or not read: %s", problem)
        self._problem = problem


def _curve(made: Made, document: str) -> "Curve | None":
    """Demand and forecast of the workload that a document states."""
    found = (identity for identity in made.advised.allotted if str(identity) == document)
    return next((curve_of(made, identity) for identity in found), None)
