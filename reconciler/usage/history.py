"""What each container of each workload used so far: two histograms, however long it runs and however many pods it has.

As the Vertical Pod Autoscaler keeps it: every measurement of CPU counts, of memory only the peak of each day does,
because a container that is short of it once is killed. A kill for want of memory counts as a peak above what it had.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.usage import SLACK, ContainerUsage, Spread, Usage
from reconciler.usage.histogram import CPU, MEMORY, Histogram, Moment, Stored
from reconciler.usage.sense import nonsense

_KILLED_FACTOR: Final = 1.2
_KILLED_MORE: Final = 100e6  # bytes
_FORGOTTEN: Final = timedelta(days=14)  # without a measurement: less than a 10,000th of what it weighed is left


class StoredContainer(msgspec.Struct, frozen=True, array_like=True):
    """`day` and `peak` are of the last day that was measured."""

    cpu: Stored | None
    memory: Stored | None
    since: Moment
    latest: Moment
    day: date
    peak: float


StoredHistory = dict[str, dict[str, StoredContainer]]
"""By workload ("apps/Deployment/shop/web") and container."""


class _Container:
    def __init__(self, when: datetime) -> None:
        self.cpu = Histogram(CPU)
        self.memory = Histogram(MEMORY)
        self.since = self.latest = when
        self.day = when.date()
        self.peak = -1.0  # of `day`; -1 where there is none yet

    def needed(self, memory: float, when: datetime) -> None:
        """Memory that was used, or would have been: it counts where it is the day's peak."""
        if when.date() > self.day:
            self.day, self.peak = when.date(), -1.0
        if when.date() < self.day or memory <= self.peak:
            return
        noon = datetime.combine(self.day, time(12), when.tzinfo)
        if self.peak >= 0:
            self.memory.remove(self.peak, noon)
        self.memory.add(memory, noon)
        self.peak = memory

    def usage(self) -> ContainerUsage:
        return ContainerUsage(_spread(self.cpu), _spread(self.memory), self.since, self.latest)

    def stored(self) -> StoredContainer:
        return StoredContainer(
            self.cpu.stored(), self.memory.stored(), self.since, self.latest, self.day, round(self.peak)
        )

    @classmethod
    def of(cls, stored: StoredContainer) -> "_Container":
        made = cls(stored.since)
        made.latest, made.day, made.peak = stored.latest, stored.day, stored.peak
        if stored.cpu is not None:
            made.cpu = Histogram.of(stored.cpu, CPU)
        if stored.memory is not None:
            made.memory = Histogram.of(stored.memory, MEMORY)
        return made


class History:
    """Takes measurements, answers with percentiles. Bounded by the containers that were measured in two weeks."""

    def __init__(self) -> None:
        self._workloads: dict[Identity, dict[str, _Container]] = {}

    def observe(
        self, workload: Identity, container: str, *, cpu: float, memory: float, when: datetime, now: datetime
    ) -> bool:
        """Take in what one pod's container used: cores, and bytes.

        Returns False for a measurement that says nothing: no amounts, from the future, or too old to count.
        """
        if nonsense(cpu=cpu, memory=memory, when=when, now=now):
            return False
        known = self._container(workload, container, when, now)
        known.cpu.add(cpu, when)
        known.needed(memory, when)
        known.latest = max(known.latest, when)
        return True

    def killed(self, workload: Identity, container: str, *, memory: float, when: datetime, now: datetime) -> None:
        """A container was killed for want of memory, having `memory` bytes: it needs a fifth, or 100 MB, more.

        Not taken in where it says nothing: no amount, from the future, or too old to count.
        """
        if not nonsense(memory=memory, when=when, now=now, oldest=_FORGOTTEN):
            needed = max(memory * _KILLED_FACTOR, memory + _KILLED_MORE)
            self._container(workload, container, when, now).needed(needed, when)

    def forget(self, now: datetime) -> None:
        """Drop what was not measured for two weeks, and what was in a future that did not come.

        Only while others are measured now: by a clock that is wrong nobody is.
        """
        if not any(abs(now - known.latest) <= SLACK for each in self._workloads.values() for known in each.values()):
            return
        for workload, containers in tuple(self._workloads.items()):
            for name, known in tuple(containers.items()):
                if not now - _FORGOTTEN <= known.latest <= now + SLACK:
                    del containers[name]
            if not containers:
                del self._workloads[workload]

    def usage(self) -> Usage:
        """All that is known, as of now."""
        return Usage(
            {
                workload: {name: known.usage() for name, known in sorted(containers.items())}
                for workload, containers in sorted(self._workloads.items())
            }
        )

    def stored(self) -> StoredHistory:
        """At rest: some 600 characters of JSON for each container."""
        return {
            "/".join(workload): {name: known.stored() for name, known in sorted(containers.items())}
            for workload, containers in sorted(self._workloads.items())
        }

    @classmethod
    def of(cls, stored: Mapping[str, Mapping[str, StoredContainer]]) -> "History":
        """As it was stored. What names no workload is left out."""
        made = cls()
        for workload, containers in _named(stored):
            made._workloads[workload] = {name: _Container.of(each) for name, each in containers.items()}
        return made

    def _container(self, workload: Identity, container: str, when: datetime, now: datetime) -> _Container:
        """A new one where there is none, or one that is from a future that did not come: our clock was wrong then."""
        containers = self._workloads.setdefault(workload, {})
        known = containers.get(container)
        if known is None or known.latest > now + SLACK or known.day > (now + SLACK).date():
            known = containers[container] = _Container(when)
        return known


def _named(
    stored: Mapping[str, Mapping[str, StoredContainer]],
) -> Iterator[tuple[Identity, Mapping[str, StoredContainer]]]:
    for text, containers in stored.items():
        parts = text.split("/")
        if len(parts) == 4:
            yield Identity(*parts), containers


def _spread(histogram: Histogram) -> Spread | None:
    found = [histogram.percentile(part) for part in (0.5, 0.9, 0.95)]
    p50, p90, p95 = found
    return None if p50 is None or p90 is None or p95 is None else Spread(p50, p90, p95)
