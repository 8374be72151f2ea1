"""How much of a demand replicas carry: so much each, and no more than lets few requests wait.

Imports no arrays: `reconciler.planner.demand` does the same for many amounts at once.
"""

import math
from typing import Final, NamedTuple

from reconciler.model.demand import RATIO
from reconciler.model.duration import exact_seconds
from reconciler.model.spec import Scale
from reconciler.planner.queueing import Queue

_EXACT: Final = math.sqrt(RATIO) + 1e-9  # demand is known to this factor: three times what one carries takes three


class Needed(NamedTuple):
    """`exactly` is what `each` alone asks for, not rounded; `replicas` is the larger of the two answers.

    `waiting` is the answer of the queue: it is kept to, where the other may be a little too small. 0 without a queue.
    """

    exactly: float
    replicas: int
    waiting: int = 0


class Carrying(NamedTuple):
    """A replica carries `each` of the demand, in `unit`s; with a `queue`, which is of requests a second, both are kept
    to."""

    each: float
    unit: str
    queue: Queue | None = None

    def needed(self, demand: float, most: int) -> Needed:
        """For `demand`; `most` + 1 stands for more than `most` replicas (at least 1)."""
        exactly = demand / self.each
        waiting = self.queue.replicas(demand, most) if self.queue is not None else 0
        return Needed(exactly, max(math.ceil(min(exactly / _EXACT, most + 1)), waiting), waiting)

    def explained(self, needed: Needed, most: int) -> str:
        """Why `needed`, which is of at most `most`, is so much."""
        if self.queue is None or needed.waiting < max(needed.replicas, 1):
            return self._each
        count = f"more than {most}" if needed.waiting > most else needed.waiting
        return f"{self.queue.each}: needs {count} so that {self.queue.words}"

    @property
    def _each(self) -> str:
        return f"a replica carries {self.each:.3g}"

    @property
    def words(self) -> str:
        """Of a chart."""
        return self._each + (f"; {self.queue.words}" if self.queue is not None else "")


def of_query(scale: Scale) -> Carrying:
    """What a replica carries of the value of its query. Without `per_replica` it may be busy all the time, if only few
    requests wait for that."""
    if scale.service_time is None:
        assert scale.per_replica is not None  # noqa: S101 - the schema has one of the two
        return Carrying(scale.per_replica, "by the query")
    share = float(scale.waiting.removesuffix("%")) / 100
    queue = Queue(exact_seconds(scale.service_time), scale.concurrency, share, exact_seconds(scale.max_wait))
    return Carrying(scale.per_replica or queue.fullest, "requests a second", queue)
