"""What planned workloads are asked for: the cores of all their pods, or what their query says, over time."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import fsum
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from reconciler.clock import Clock
from reconciler.engine.keeping import Keeper, Store
from reconciler.errors import QueryFailed, UsageError
from reconciler.kube.names import Identity
from reconciler.model.demand import Demand, level
from reconciler.model.usage import Measurement, Series
from reconciler.usage.containers import past_of
from reconciler.usage.demands import SPAN, STEP, Demands

NO_PROMETHEUS: Final = "its query needs a Prometheus, and planner.usage of the daemon's configuration names none"
_CARRIED: Final = timedelta(seconds=STEP)  # that a pod counts as it did, which was not measured and still is there
_AT_ONCE: Final = 20  # pasts that are asked for between two measurements
_MOVED: Final = level(1.1) - level(1.0)  # a tenth: as much as moves a number of replicas

logger = logging.getLogger(__name__)


class Follow(NamedTuple):
    """What the replicas of a workload follow: its `query`, or "" for the cores of its pods. `direct`: by nobody but
    the planner, so that it is to be told at once."""

    query: str = ""
    direct: bool = True


Follows = Mapping[Identity, Follow]
"""By the identity under which a workload is planned."""

NOBODY: Final[Follows] = MappingProxyType({})


class Questions(Protocol):
    """Whom a query can be asked."""

    async def values(self, queries: Sequence[str], at: datetime) -> Sequence[float | UsageError]:
        """The one value of each at a time, or why there is none."""
        ...

    async def past(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series | None:
        """Its values until now; None where it finds nothing, or more than one series. Raises UsageError."""
        ...


class Demanding:
    """`kept` is what is known. `moved` is called when a direct demand is another than it was when that was called last.

    What cannot be measured changes nothing.
    """

    def __init__(
        self,
        store: Store[Demands],
        questions: Questions | None,
        *,
        clock: Clock,
        random: Random,
        ours: Callable[[], bool] = lambda: True,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.kept = Keeper(store, Demands(), "the history of demand", ours=ours, clock=clock, random=random)
        self._questions = questions
        self._moved = moved
        self._follows: Follows = NOBODY
        self._pods: dict[Identity, dict[Identity, tuple[float, datetime]]] = {}
        self._lacking: dict[Identity, str] = {}
        self._filled: set[tuple[Identity, str]] = set()
        self._told: dict[Identity, int] = {}

    def follow(self, follows: Follows) -> None:
        """Measure these from now on."""
        if follows == self._follows:
            return
        self._follows = dict(follows)
        for known in (self._pods, self._lacking, self._told):
            for identity in known.keys() - follows.keys():
                del known[identity]
        if self._questions is None:
            for identity, follow in follows.items():
                self._lacks(identity, NO_PROMETHEUS if follow.query else "")

    def demand(self) -> Mapping[Identity, Demand]:
        """All that is known."""
        return self.kept.value.demand()

    def lacking(self, problem: str) -> Mapping[Identity, str]:
        """Why nothing newer is known, of those of which there is not; `problem` is why nothing is measured at all."""
        pods = {identity: problem for identity, follow in self._follows.items() if problem and not follow.query}
        return {**pods, **self._lacking}

    def take(
        self,
        found: Iterable[Measurement],
        identity_of: Callable[[Identity], Identity | None],
        now: datetime,
        expected: Mapping[Identity, Collection[Identity]] = MappingProxyType({}),
    ) -> None:
        """Take in what containers use, as far as it makes sense (`reconciler.usage.sense`).

        `identity_of` says of a pod that is there under which identity it is planned, `expected` which pods of it are to
        be measured: while one is not, what the others use is no less than what they are asked for.
        """
        used: dict[Identity, dict[Identity, list[float]]] = {}
        for each in found:
            identity = identity_of(each.pod)
            if identity is None or each.when < now - _CARRIED:
                continue
            if (follow := self._follows.get(identity)) is not None and not follow.query:
                used.setdefault(identity, {}).setdefault(each.pod, []).append(each.cpu)
        for identity, pods in used.items():
            known = self._pods.get(identity, {})
            lately = {
                pod: (cores, when)
                for pod, (cores, when) in known.items()
                if pod not in pods and when > now - _CARRIED and identity_of(pod) == identity
            }
            self._pods[identity] = lately | {pod: (fsum(cores), now) for pod, cores in pods.items()}
            cores = fsum(cores for cores, _ in self._pods[identity].values())
            missing = [pod for pod in expected.get(identity, ()) if pod not in self._pods[identity]]
            self._lacks(identity, f"not all of its pods are measured: {min(missing)} is not" if missing else "")
            if not missing or cores > self.kept.value.latest(identity):
                self._observe(identity, cores, now)

    async def ask(self, planned: Mapping[Identity, Identity], now: datetime) -> None:
        """Ask the queries, and for what was before we measured; `planned` has what Kubernetes calls the workloads."""
        if self._questions is not None:
            await self._ask(self._questions, now)
            await self._look_back(self._questions, planned, now)
        self.kept.value.forget(now)
        if self._follows:
            self.kept.changed()

    async def _ask(self, questions: Questions, now: datetime) -> None:
        queries = sorted({follow.query for follow in self._follows.values() if follow.query})
        answers = dict(zip(queries, await questions.values(queries, now), strict=True)) if queries else {}
        for identity, follow in self._follows.items():
            match answers.get(follow.query):
                case UsageError() as error:
                    self._lacks(identity, error.advised)
                case float(value):
                    self._lacks(identity, "")
                    self._observe(identity, value, now, follow.query)

    async def _look_back(self, questions: Questions, planned: Mapping[Identity, Identity], now: datetime) -> None:
        """Where another kept a past, none has to pass."""
        workloads: dict[Identity, list[Identity]] = {}
        for workload, identity in planned.items():
            workloads.setdefault(identity, []).append(workload)
        new = [(identity, follow.query) for identity, follow in sorted(self._follows.items())]
        for identity, query in [each for each in new if each not in self._filled][:_AT_ONCE]:
            asked = query or past_of(*workloads.get(identity, ()))
            try:
                past = await questions.past(asked, now - SPAN, now, timedelta(seconds=STEP)) if asked else None
            except QueryFailed as error:
                logger.warning("what %s was asked for before is not known: %s", identity, error.advised)
            except UsageError:
                return  # it does not answer now; the next time it may
            else:
                if past is not None:
                    self.kept.value.fill(identity, past, query)
            self._filled.add((identity, query))

    def _observe(self, identity: Identity, value: float, now: datetime, query: str = "") -> None:
        self.kept.value.observe(identity, value, now, query)
        if self._follows[identity].direct and abs(level(value) - self._told.get(identity, level(0))) >= _MOVED:
            self._told[identity] = level(value)
            self._moved()

    def _lacks(self, identity: Identity, why: str) -> None:
        if why and why != self._lacking.get(identity):
            logger.warning("%s keeps its replicas: %s", identity, why)
        if why:
            self._lacking[identity] = why
        else:
            self._lacking.pop(identity, None)
