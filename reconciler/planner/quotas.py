"""What quotas leave to the workloads that are planned: those of the configuration, and the cluster's ResourceQuotas.

A ResourceQuota counts every pod of its namespace, so what others there request is taken from it first. What cannot
bind, because less is asked for, is left out: it costs nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from reconciler.model.cluster_view import GPU, Gpu, Quota, Resources
from reconciler.planner.allowances import Allowance
from reconciler.planner.grouping import PODS, Groups, amounts_of
from reconciler.planner.intake import Intake, safe_amounts, safe_gpu
from reconciler.planner.shapes import DEVICE, Bools, Ints


class Bound(NamedTuple):
    """One quota: the `most` that planned workloads may request of each resource, None where it does not say. `name`
    is that of the ResourceQuota, "" for the configuration's."""

    name: str
    most: Sequence[int | None]


class Closing(NamedTuple):
    """A quota that lets no replica more in, and of which `resources` it has too little."""

    namespace: str
    name: str
    resources: tuple[str, ...]

    def __str__(self) -> str:
        whose = f"of ResourceQuota/{self.namespace}/{self.name}" if self.name else "by the configuration"
        return f"{self._said} {whose}"

    @property
    def way(self) -> str:
        """What would let more in."""
        if not self.name:
            return f"raise the quota of {self.namespace}"
        return f"raise {self._said} in ResourceQuota/{self.namespace}/{self.name}"

    @property
    def _said(self) -> str:
        return " and ".join(self.resources)


@dataclass(frozen=True, slots=True)
class NamespaceQuota:
    """`bounds` are all that there are, `allowance` is the tightest of them by resource."""

    namespace: str
    bounds: tuple[Bound, ...]
    allowance: Allowance

    def closing(self, request: Sequence[int], resources: Sequence[str]) -> list[Closing]:
        """Which of them let no replica more in that asks for so much."""
        found = []
        for bound in self.bounds:
            each = zip(resources, bound.most, self.allowance.used, request, strict=True)
            if short := tuple(name for name, most, used, asked in each if most is not None and most - used < asked > 0):
                found.append(Closing(self.namespace, bound.name, short))
        return found


def counted(groups: Groups) -> tuple[str, ...]:
    """The resources that quotas and limits count, in the order of `requests`."""
    return (*groups.resources, GPU)


def requests(groups: Groups) -> list[list[int]]:
    """What a replica of each shape asks for of what is `counted`. A share of a device is none of what Kubernetes
    counts."""
    shapes = groups.shapes
    whole = np.where(shapes.milli == DEVICE, shapes.count, 0)
    found: list[list[int]] = np.column_stack([shapes.request, whole]).tolist()
    return found


def most_of(amount: Resources, groups: Groups) -> list[int | None]:
    """An amount of the configuration as a bound: 0 is none. Of pods and devices it says nothing."""
    return [each or None for each in (*amounts_of(amount, groups.resources), 0)]


def quotas_of(
    intake: Intake, groups: Groups, configured: Mapping[str, Resources], found: Iterable[Quota]
) -> dict[str, NamespaceQuota]:
    """By namespace, where a quota can bind."""
    spaces = {need.identity.namespace for need in intake.needs}
    bounds = {space: [Bound("", most_of(amount, groups))] for space, amount in configured.items() if space in spaces}
    inside = sorted((quota for quota in found if quota.namespace in spaces), key=lambda quota: quota.name)
    taken = _taken(intake, groups, {quota.namespace for quota in inside})
    for quota in inside:
        hard, others = dict(quota.hard), taken[quota.namespace]
        left = [
            max(hard[name] - other, 0) if name in hard else None
            for name, other in zip(counted(groups), others, strict=True)
        ]
        bounds.setdefault(quota.namespace, []).append(Bound(quota.name, left))
    asked = _total(intake, groups, bounds, [need.replicas for need in intake.needs])
    quotas = {}
    for space, each in bounds.items():
        least = [_least(column) for column in zip(*(bound.most for bound in each), strict=True)]
        binding = [
            most if most is not None and most < total else None for most, total in zip(least, asked[space], strict=True)
        ]
        if any(most is not None for most in binding):
            quotas[space] = NamespaceQuota(space, tuple(each), Allowance.of(binding))
    return quotas


def _least(bounds: Iterable[int | None]) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def exceeded(intake: Intake, groups: Groups, quotas: Mapping[str, NamespaceQuota], counts: Ints) -> Bools:
    """By workload, whether so many replicas of each would together be more than the quota of its namespace lets in."""
    total = _total(intake, groups, quotas, counts.tolist())
    over = {space for space, quota in quotas.items() if not quota.allowance.holds(total[space])}
    return np.array([need.identity.namespace in over for need in intake.needs], np.bool_)


def _total(intake: Intake, groups: Groups, spaces: Iterable[str], counts: Sequence[int]) -> dict[str, list[int]]:
    """What so many replicas of each workload ask for together, by namespace."""
    total = {space: [0] * len(counted(groups)) for space in spaces}
    rows = requests(groups) if total else []
    for need, shape, count in zip(intake.needs, groups.shape_of.tolist(), counts, strict=True) if total else ():
        if (row := total.get(need.identity.namespace)) is not None:
            for resource, amount in enumerate(rows[shape]):
                row[resource] += count * amount
    return total


def _taken(intake: Intake, groups: Groups, spaces: set[str]) -> dict[str, list[int]]:
    """What pods of others request, by namespace, wherever they run: also on a node that is lost they count until they
    are deleted."""
    total = {space: [0] * len(counted(groups)) for space in spaces}
    if not total:
        return total
    others = (intake.running.pods[row] for row in np.flatnonzero(intake.of < 0).tolist())
    alike = Counter((pod.namespace, pod.requests, pod.gpu) for pod in others if pod.namespace in total)
    for (space, request, gpu), count in alike.items():
        for resource, amount in enumerate(_of_pod(request, gpu, groups.resources)):
            total[space][resource] += count * amount
    return total


def _of_pod(request: Resources, gpu: Gpu, resources: Sequence[str]) -> list[int]:
    amounts, devices = amounts_of(safe_amounts(request), resources), safe_gpu(gpu)
    amounts[resources.index(PODS)] = 1
    return [*amounts, devices.count if devices.milli == DEVICE else 0]
