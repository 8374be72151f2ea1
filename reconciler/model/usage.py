"""What was measured, as the planner reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.kube.names import Identity


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
class Demand:
    """What was asked of a workload in all, at each of `values` steps of `step` seconds: the highest that was measured.

    Cores, summed over its pods; or what its query said. NaN where nothing was measured. The last value is of the step
    that began at `latest`, which may not have ended; the first of them is a number.
    """

    step: float
    latest: datetime
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """By workload, and by container name. What is missing was never measured: it changes nothing (rule 19).

    `demand` is in cores; `queried` is what the query of a workload said. `lacking` says why there is nothing newer.
    """

    containers: Mapping[Identity, Mapping[str, ContainerUsage]] = field(default_factory=dict)
    demand: Mapping[Identity, Demand] = field(default_factory=dict)
    queried: Mapping[Identity, Demand] = field(default_factory=dict)
    lacking: Mapping[Identity, str] = field(default_factory=dict)
