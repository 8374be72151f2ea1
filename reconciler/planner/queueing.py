"""How many replicas keep people from waiting, where the time that one request takes is known.

The M/M/c queue: with an offered load of R (requests a second × seconds each) c > R servers are needed for a queue that
does not grow, and about R + β√R for one in which the share of those that wait is small (Halfin and Whitt, Heavy-Traffic
Limits for Queues with Many Exponential Servers, Operations Research 29, 1981). The exact share is Erlang's C formula;
of those that wait, e^(-(c - R) t) do so for longer than t times what a request takes.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_TABLED: Final = 64  # replicas, of at most
_SLOTS: Final = 1000  # together: beyond them the square-root rule is as good
_NEGLIGIBLE: Final = 1e-17
_HUGE: Final = 1e300


def waiting(load: float, servers: int, patience: float = 0.0) -> float:
    """Erlang C: the share of requests that wait longer than `patience`, in service times; 1 where the queue grows.

    Computed through Erlang B, whose inverse is 1 + c/R + c(c-1)/R² + …: all terms are positive, and some √R of them
    count.
    """
    if servers <= load:
        return 1.0
    term = inverse = 1.0
    for free in range(servers, 0, -1):
        term *= free / load if load else math.inf
        inverse += term
        if inverse > _HUGE:
            return 0.0
        if free < load and term < _NEGLIGIBLE * inverse:
            break
    spare = servers - load
    return servers / (spare * inverse + load) * math.exp(-spare * patience)


def servers(load: float, share: float, patience: float = 0.0) -> int:
    """The fewest servers with which at most `share` (above 0, below 1) of the requests wait longer than `patience`.

    `load` is in servers that are busy on average, `patience` in service times. Raises ValueError for what is none.
    """
    if not (math.isfinite(load) and load >= 0):
        raise ValueError(f"not a load: {load!r}")
    if not 0 < share < 1:
        raise ValueError(f"not a share: {share!r}")
    if not (math.isfinite(patience) and patience >= 0):
        raise ValueError(f"not a patience: {patience!r}")
    low, high = math.floor(load), math.floor(load) + 1
    while waiting(load, high, patience) > share:
        low, high = high, high + max(1, math.ceil(math.sqrt(load)))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if waiting(load, middle, patience) > share else (low, middle)
    return max(1, high)


class Queue(NamedTuple):
    """At most `share` of the requests are to wait longer than `longest` seconds for their turn.

    Each takes `service` seconds on average; a replica serves `slots` at once.
    """

    service: float
    slots: int
    share: float
    longest: float = 0.0

    @property
    def fullest(self) -> float:
        """The requests a second that a replica could serve if none came while it is busy."""
        return self.slots / self.service

    def replicas(self, rate: float, most: int) -> int:
        """The fewest that do for `rate` requests a second; `most` + 1 where `most` (at least 1) do not."""
        if rate >= most * self.fullest:
            return most + 1
        needed = servers(rate * self.service, self.share, self.longest / self.service) if rate > 0 else 0
        return min(math.ceil(needed / self.slots), most + 1)

    @property
    def words(self) -> str:
        """What is to be kept: "at most 5 % of requests wait longer than 50ms"."""
        longer = f" longer than {_written(self.longest)}" if self.longest else ""
        return f"at most {100 * self.share:g} % of requests wait{longer}"

    @property
    def each(self) -> str:
        """What a request takes: "80ms each, 4 at once"."""
        return f"{_written(self.service)} each" + (f", {self.slots} at once" if self.slots > 1 else "")


@lru_cache(maxsize=256)
def rates(queue: Queue) -> tuple[float, ...]:
    """The most requests a second that one replica may get, two, three, …: as many as are worth an exact answer."""
    return tuple(_rates(queue))


def beta(queue: Queue) -> float:
    """Of the square-root rule, as the last of the `rates` has it."""
    known = rates(queue)
    load = known[-1] * queue.service
    return (len(known) * queue.slots - load) / math.sqrt(load)


def _rates(queue: Queue) -> Iterator[float]:
    patience, low = queue.longest / queue.service, 0.0
    for count in range(1, max(1, min(_TABLED, _SLOTS // queue.slots)) + 1):
        slots = count * queue.slots
        high = float(slots)
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if waiting(middle, slots, patience) <= queue.share else (low, middle)
        yield low / queue.service


def _written(seconds: float) -> str:
    return f"{1000 * seconds:g}ms" if seconds < 1 else f"{seconds:g}s"
