"""What each workload was asked for in all, over fifteen days: bounded, however long it is measured.

Of a step of five minutes the highest is kept: a pod that was not measured once makes a sum too low, none too high.
"""

import sys
from array import array
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.demand import GAP, Demand, level
from reconciler.model.usage import Series

STEP: Final = 300.0  # seconds
SPAN: Final = timedelta(days=15)
_STEPS: Final = int(SPAN.total_seconds() / STEP)
_BATCH: Final = 288  # steps by which a past may be longer before it is cut
_AHEAD: Final = 12  # steps: as much as clocks may differ
_LATEST: Final = 2**53  # of a step: others can write to where demand is stored


class StoredDemand(msgspec.Struct, frozen=True, array_like=True):
    """At rest: `first` is the number of its first step since 1970. `levels` are differences of each to the one before,
    little-endian, all low bytes before all high ones: what repeats or hardly changes is packed to little."""

    query: str
    first: int
    levels: bytes


StoredDemands = dict[str, StoredDemand]
"""By workload ("reconciler.dev/Deployment/shop/web")."""


class _Past:
    def __init__(self, query: str, first: int = 0, levels: "array[int] | None" = None) -> None:
        self.query = query
        self.first = first
        self.levels = levels if levels is not None else array("h")

    @property
    def end(self) -> int:
        """The step after the last."""
        return self.first + len(self.levels)

    def put(self, step: int, found: int) -> None:
        """Take in a level of a step that is not before the first."""
        if not self.levels:
            self.first = step
        if step < self.first:
            return
        if (gap := step - self.end) >= 0:
            if gap > _STEPS:
                self.first, self.levels, gap = step, array("h"), 0
            self.levels.extend([GAP] * gap)
            self.levels.append(GAP)
        self.levels[step - self.first] = max(self.levels[step - self.first], found)
        if len(self.levels) > _STEPS + _BATCH:
            self.first += (cut := len(self.levels) - _STEPS)
            del self.levels[:cut]

    def cut(self, step: int) -> None:
        """Forget what is known of `step` and of those after it."""
        del self.levels[max(0, step - self.first) :]

    def fill(self, series: Series) -> None:
        """Take in a past that another kept, where we measured nothing."""
        found = {_step(when): level(value) for when, value in zip(series.times, series.values, strict=True)}
        oldest = max((self.end, *found)) - _STEPS
        steps = sorted(step for step in found if step > oldest)
        if not steps:
            return
        if (before := (self.first if self.levels else steps[-1] + 1) - steps[0]) > 0:
            self.levels = array("h", [GAP] * before) + self.levels
            self.first = steps[0]
        for step in steps:
            if step >= self.end or self.levels[step - self.first] == GAP:
                self.put(step, found[step])

    def demand(self) -> Demand | None:
        """None where nothing was measured."""
        count = len(self.levels)
        while count and self.levels[count - 1] == GAP:
            count -= 1
        if not count:
            return None
        latest = datetime.fromtimestamp((self.first + count - 1) * STEP, UTC)
        return Demand(STEP, latest, self.levels[max(0, count - _STEPS) : count].tobytes(), self.query)

    def stored(self) -> StoredDemand:
        changes = array("H", ((now - before) & 0xFFFF for before, now in _pairs(self.levels)))
        data = _little(changes).tobytes()
        return StoredDemand(self.query, self.first, data[::2] + data[1::2])

    @classmethod
    def of(cls, stored: StoredDemand) -> "_Past | None":
        """None for what makes no sense."""
        half, odd = divmod(len(stored.levels), 2)
        if odd or half > _STEPS + _BATCH or not 0 <= stored.first <= _LATEST:
            return None
        data = bytearray(len(stored.levels))
        data[::2], data[1::2] = stored.levels[:half], stored.levels[half:]
        levels, last = array("h"), 0
        for change in _little(array("H", bytes(data))):
            last = (last + change + 0x8000) % 0x10000 - 0x8000
            levels.append(last)
        return cls(stored.query, stored.first, levels)


class Demands:
    """Takes amounts, answers with series. Bounded by the workloads that were measured in fifteen days."""

    def __init__(self) -> None:
        self._pasts: dict[Identity, _Past] = {}

    def observe(self, workload: Identity, value: float, when: datetime, query: str = "") -> None:
        """Take in what was asked of a workload; `query` is "" for the cores that its pods used.

        What is no amount is not taken in. Another query is about something else: what was known is forgotten. So is
        what was measured after `when`, if that is more than an hour: our clock was ahead, and nothing else is known of
        a time that is yet to come.
        """
        if (found := level(value)) != GAP:
            past, step = self._past(workload, query), _step(when)
            if past.end > step + _AHEAD:
                past.cut(step)
            past.put(step, found)

    def fill(self, workload: Identity, series: Series, query: str = "") -> None:
        """Take in a past that another kept, where nothing was measured. An empty one is none."""
        if series.values:
            self._past(workload, query).fill(series)

    def latest(self, workload: Identity) -> float:
        """What was asked of it last; 0 where that is not known."""
        past = self._pasts.get(workload)
        known = past.demand() if past is not None else None
        return known.last(1)[0] if known is not None else 0.0

    def forget(self, now: datetime) -> None:
        """Drop what was not measured for fifteen days, and what was in a future that did not come.

        Only while others are measured now: by a clock that is wrong nobody is.
        """
        step = _step(now)
        if any(abs(step - past.end) <= _AHEAD for past in self._pasts.values()):
            self._pasts = {
                workload: past for workload, past in self._pasts.items() if -_AHEAD <= step - past.end < _STEPS
            }

    def demand(self) -> dict[Identity, Demand]:
        """All that is known."""
        found = {workload: past.demand() for workload, past in sorted(self._pasts.items())}
        return {workload: demand for workload, demand in found.items() if demand is not None}

    def stored(self) -> StoredDemands:
        """At rest: packed, some three kilobytes for each workload."""
        return {"/".join(workload): past.stored() for workload, past in sorted(self._pasts.items())}

    @classmethod
    def of(cls, stored: Mapping[str, StoredDemand]) -> "Demands":
        """As it was stored. What makes no sense is left out."""
        made = cls()
        for text, each in stored.items():
            parts, past = text.split("/"), _Past.of(each)
            if len(parts) == 4 and past is not None:
                made._pasts[Identity(*parts)] = past
        return made

    def _past(self, workload: Identity, query: str) -> _Past:
        past = self._pasts.get(workload)
        if past is None or past.query != query:
            past = self._pasts[workload] = _Past(query)
        return past


def _step(when: datetime) -> int:
    return int(when.timestamp() // STEP)


def _pairs(levels: "array[int]") -> "zip[tuple[int, int]]":
    return zip((array("h", [0]) + levels)[:-1], levels, strict=True)


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
