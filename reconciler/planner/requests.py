"""What a container should request, from what it used.

The Vertical Pod Autoscaler's method: a percentile of CPU, and of the daily peaks of memory, with headroom on top (its
own are the 90th and 15 %). What is requested now is left alone while it lies between a lower and an upper bound, from
the 50th and the 95th percentile; the less history there is, the wider apart these are. With headroom h and n days of
history: lower = p50 · (1 + h) · (1 + 0.001/n)^-2 and upper = p95 · (1 + h) · (1 + 1/n).
https://github.com/kubernetes/autoscaler/tree/master/vertical-pod-autoscaler/pkg/recommender/logic
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from reconciler.model.planner_config import LARGEST_HEADROOM
from reconciler.model.usage import SLACK, ContainerUsage, Spread

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
    AHEAD = "ahead"  # it was measured at a time that is yet to come: by a clock that was wrong, or is


class Rule(NamedTuple):
    """Which percentile of what was used (0.5, 0.9 or 0.95), and what comes on top, as a part of it."""

    part: float = 0.9
    headroom: float = HEADROOM

    def of(self, spread: Spread) -> float:
        """What it asks for."""
        return {0.5: spread.p50, 0.9: spread.p90, 0.95: spread.p95}[self.part] * (1 + self.headroom)


PLAIN: Final = Rule()


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
    usage: ContainerUsage,
    *,
    cpu: float | None,
    memory: float | None,
    now: datetime,
    rules: tuple[Rule, Rule] = (PLAIN, PLAIN),
) -> tuple[Advice, Advice]:
    """Of CPU (in cores) and of memory (in bytes). `cpu` and `memory` are what is requested now, None for nothing.

    CPU comes in whole thousandths of a core, memory in whole mebibytes. Raises ValueError for a headroom that is
    negative or not a number.
    """
    for rule in rules:
        if not 0 <= rule.headroom <= 2 * LARGEST_HEADROOM:
            raise ValueError(f"not a headroom: {rule.headroom!r}")
    days = (usage.latest - usage.since) / timedelta(days=1)
    kept = None
    if now - usage.latest > _STALE:
        kept = Reason.STALE
    elif usage.latest - now > SLACK:
        kept = Reason.AHEAD
    elif usage.latest - usage.since < _YOUNG:
        kept = Reason.YOUNG

    def of(spread: Spread | None, requested: float | None, rule: Rule, least: float, whole: float) -> Advice:
        if kept is not None or spread is None:
            return Advice(kept or Reason.YOUNG, requested, requested)
        wanted = max(least, _up(rule.of(spread), whole))
        lower = max(least, spread.p50 * (1 + rule.headroom) * (1 + 0.001 / days) ** -2)
        upper = max(least, spread.p95 * (1 + rule.headroom) * (1 + 1 / days))
        if requested is None:
            return Advice(Reason.NEW, wanted, None, lower, upper)
        if requested < lower:
            return Advice(Reason.MORE, wanted, requested, lower, upper)
        if requested > upper:
            return Advice(Reason.LESS, wanted, requested, lower, upper)
        return Advice(Reason.FITS, requested, requested, lower, upper)

    return (
        of(usage.cpu, cpu, rules[0], _LEAST_CPU, 0.001),
        of(usage.memory, memory, rules[1], _LEAST_MEMORY, _MEBI),
    )


def quantities(cpu: float, memory: float) -> dict[str, str]:
    """Cores and bytes as Kubernetes writes them."""
    return {"cpu": f"{round(cpu * 1000)}m", "memory": f"{math.ceil(memory / _MEBI)}Mi"}


def written(name: str, amount: float) -> str:
    """An amount of "cpu" (cores) or "memory" (bytes) as Kubernetes writes it."""
    return quantities(amount, 0)["cpu"] if name == "cpu" else quantities(0, amount)["memory"]


def _up(value: float, whole: float) -> float:
    return math.ceil(value / whole - 1e-9) * whole
