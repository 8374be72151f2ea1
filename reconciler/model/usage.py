"""What was measured, as the planner reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.demand import Demand

SLACK: Final = timedelta(hours=1)  # by which others' clocks may differ from ours; what is older is no news


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: `times` rise, `values` are finite and as many. `labels` go without the metric's name."""

    labels: Mapping[str, str]
    times: tuple[datetime, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one container used at `when`: cores on average over the last moments, bytes at that instant."""

    pod: Identity
    container: str
    cpu: float
    memory: float
    when: datetime


@dataclass(frozen=True, slots=True)
class Killed:
    """One container that was killed for want of memory, having `memory` bytes. `workload` as Kubernetes names it."""

    workload: Identity
    container: str
    memory: float
    when: datetime


@dataclass(frozen=True, slots=True)
class Spread:
    """How an amount was distributed: the 50th, 90th and 95th percentile, in cores or in bytes."""

    p50: float
    p90: float
    p95: float


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """One container of a workload, over all its pods. `cpu` and `memory` are None where nothing was measured.

    `memory` is of daily peaks. `since` and `latest` are of the first and the last measurement.
    """

    cpu: Spread | None
    memory: Spread | None
    since: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """By workload, and by container name. What is missing was never measured: it changes nothing (rule 19).

    `lacking` says of a workload why there is no newer `demand`, where that is known.
    """

    containers: Mapping[Identity, Mapping[str, ContainerUsage]] = field(default_factory=dict)
    demand: Mapping[Identity, Demand] = field(default_factory=dict)
    lacking: Mapping[Identity, str] = field(default_factory=dict)
