"""What a container should request, from what it used.

The Vertical Pod Autoscaler's method: the 90th percentile of CPU, and of the daily peaks of memory, with 15 % on top.
What is requested now is left alone while it lies between a lower and an upper bound, from the 50th and the 95th
percentile; the less history there is, the wider apart these are. Its formulas, with n in days of history:
lower = p50 · 1.15 · (1 + 0.001/n)^-2 and upper = p95 · 1.15 · (1 + 1/n).
https://github.com/kubernetes/autoscaler/tree/master/vertical-pod-autoscaler/pkg/recommender/logic
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from reconciler.model.usage import ContainerUsage, Spread

HEADROOM: Final = 0.15
_LEAST_CPU: Final = 0.01  # cores
_LEAST_MEMORY: Final = 32 * 2**20  # bytes
_YOUNG: Final = timedelta(hours=1)
_STALE: Final = timedelta(days=1)
_MEBI: Final = 2**20


class Reason(StrEnum):
    NEW = "new"  # nothing is requested yet
    MORE = "more"  # what is requested is below the lower bound
    LESS = "less"  # it is above the upper one
    FITS = "fits"  # it lies between them
    YOUNG = "young"  # an hour of history is too little
    STALE = "stale"  # nothing was measured for a day: what is requested stays (rule 19)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to request of one resource: `wanted` where `reason` says that it changes, else what is requested already.

    `requested` is None where nothing is. `lower` and `upper` are the bounds. All in the resource's unit.
    """

    reason: Reason
    wanted: float | None
    requested: float | None = None
    lower: float = 0.0
    upper: float = math.inf

    @property
    def changes(self) -> bool:
        return self.reason in (Reason.NEW, Reason.MORE, Reason.LESS)


def advise(
    usage: ContainerUsage, *, cpu: float | None, memory: float | None, now: datetime, headroom: float = HEADROOM
) -> tuple[Advice, Advice]:
    """Of CPU (in cores) and of memory (in bytes). `cpu` and `memory` are what is requested now, None for nothing.

    CPU comes in whole thousandths of a core, memory in whole mebibytes. Raises ValueError for a headroom that is
    negative or not a number.
    """
    if not 0 <= headroom <= 10:
        raise ValueError(f"not a headroom: {headroom!r}")
    days = (usage.latest - usage.since) / timedelta(days=1)
    kept = None
    if now - usage.latest > _STALE:
        kept = Reason.STALE
    elif usage.latest - usage.since < _YOUNG:
        kept = Reason.YOUNG

    def of(spread: Spread | None, requested: float | None, least: float, whole: float) -> Advice:
        if kept is not None or spread is None:
            return Advice(kept or Reason.YOUNG, requested, requested)
        wanted = max(least, _up(spread.p90 * (1 + headroom), whole))
        lower = max(least, spread.p50 * (1 + headroom) * (1 + 0.001 / days) ** -2)
        upper = max(least, spread.p95 * (1 + headroom) * (1 + 1 / days))
        if requested is None:
            return Advice(Reason.NEW, wanted, None, lower, upper)
        if requested < lower:
            return Advice(Reason.MORE, wanted, requested, lower, upper)
        if requested > upper:
            return Advice(Reason.LESS, wanted, requested, lower, upper)
        return Advice(Reason.FITS, requested, requested, lower, upper)

    return of(usage.cpu, cpu, _LEAST_CPU, 0.001), of(usage.memory, memory, _LEAST_MEMORY, _MEBI)


def quantities(cpu: float, memory: float) -> dict[str, str]:
    """Cores and bytes as Kubernetes writes them."""
    return {"cpu": f"{round(cpu * 1000)}m", "memory": f"{math.ceil(memory / _MEBI)}Mi"}


def _up(value: float, whole: float) -> float:
    return math.ceil(value / whole - 1e-9) * whole
