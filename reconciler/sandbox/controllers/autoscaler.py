"""HorizontalPodAutoscaler, as far as it goes without metrics: bounds and status; with metrics it scales, down only
after five minutes in which fewer were enough.

Only resource metrics with a target utilisation are understood.
"""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from reconciler.sandbox.client import (
    AUTOSCALERS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Key,
    Object,
    Resource,
    key_of,
)
from reconciler.sandbox.controllers.conditions import with_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.controllers.replicaset import wanted_replicas

PERIOD: Final = 15.0  # seconds between two looks at the metrics
TOLERANCE: Final = 0.1
WINDOW: Final = 300.0  # seconds in which fewer replicas must have been enough

Metrics = Callable[[str, str, str], Mapping[str, int] | None]
"""Of (kind, namespace, name) of a scaled workload: the utilisation of each resource in percent of its request."""


class AutoscalerController(Controller):
    """Reacts to changes; looks at metrics every 15 s only where there are any."""

    name: ClassVar[str] = "horizontal-pod-autoscaler"

    def __init__(self, context: Context, metrics: Metrics | None = None) -> None:
        super().__init__(context)
        self._metrics = metrics
        self._wanted: dict[Key, list[tuple[float, int]]] = {}  # by the metrics, within the window
        self._autoscalers = self.follow(AUTOSCALERS)
        self._targets = {
            kind.kind: (kind, self.informers.of(kind)) for kind in (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)
        }
        self._autoscalers.add_index("target", _target)
        for kind, informer in self._targets.values():
            informer.subscribe(self._scaled(kind))

    def _scaled(self, kind: Resource) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if old is not None and new is not None and _scale(old) == _scale(new):
                return
            key = key_of(new or old or {})
            for autoscaler in self._autoscalers.by("target", f"{kind.kind}/{key}"):
                self.queue.add(key_of(autoscaler))

        return changed

    async def reconcile(self, key: Key) -> None:
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None or is_deleting(autoscaler):
            self._wanted.pop(key, None)
            return
        reference = autoscaler["spec"]["scaleTargetRef"]
        kind, informer = self._targets.get(reference["kind"], (None, None))
        target = informer.get(Key(key.namespace, reference["name"])) if informer else None
        if kind is None or target is None:
            missing = f'the scale of {reference["kind"]} "{reference["name"]}" cannot be read'
            await self._report(autoscaler, None, None, ("AbleToScale", "False", "FailedGetScale", missing))
            return
        current = wanted_replicas(target)
        usage = self._metrics(kind.kind, key.namespace, reference["name"]) if self._metrics else None
        desired = self._stabilized(key, autoscaler, current, desired_replicas(autoscaler, current, usage))
        if desired != current:
            change = {"metadata": {"uid": target["metadata"]["uid"]}, "spec": {"replicas": desired}}
            await self.client.patch(kind, key_of(target), change)
            self.normal(AUTOSCALERS, autoscaler, "SuccessfulRescale", f"New size: {desired}")
        if current == 0:
            active = (
                "ScalingActive",
                "False",
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
            )
        elif usage is None:
            active = ("ScalingActive", "False", "FailedGetResourceMetric", "no metrics are available in the sandbox")
        else:
            active = ("ScalingActive", "True", "ValidMetricFound", "the desired count comes from resource metrics")
        await self._report(autoscaler, current, desired, active)
        if self._metrics is not None:
            self.queue.add_after(key, PERIOD)

    def _stabilized(self, key: Key, autoscaler: Object, current: int, desired: int) -> int:
        """The most of what was desired within the window, which begins with what there was; within the bounds."""
        if self._metrics is None or current == 0:
            return desired
        now = self.clock.monotonic()
        kept = [each for each in self._wanted.get(key, [(now, current)]) if each[0] > now - WINDOW]
        self._wanted[key] = [*kept, (now, desired)]
        return _bounded(autoscaler, max(count for _, count in self._wanted[key]))

    async def _report(
        self, autoscaler: Object, current: int | None, desired: int | None, active: tuple[str, str, str, str]
    ) -> None:
        old = autoscaler.get("status") or {}
        conditions = old.get("conditions") or []
        if active[0] != "AbleToScale":
            good = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
            conditions = with_condition(conditions, *good, now=self.now())
        conditions = with_condition(conditions, *active, now=self.now())
        status = {**old, "conditions": conditions, "observedGeneration": autoscaler["metadata"].get("generation")}
        if current is not None:
            status["currentReplicas"] = current
            status["desiredReplicas"] = desired
            if current != desired:
                status["lastScaleTime"] = self.now()
        await self.set_status(AUTOSCALERS, autoscaler, status)


def desired_replicas(autoscaler: Object, current: int, usage: Mapping[str, int] | None) -> int:
    """current × utilisation / target, rounded up, the highest over all metrics, within the bounds. Pure.

    Within a tenth of the target nothing changes, and a target that somebody set to 0 replicas is left alone.
    """
    if current == 0:
        return 0
    spec = autoscaler["spec"]
    wanted = []
    for metric in spec.get("metrics") or ():
        resource = metric.get("resource") or {}
        target = (resource.get("target") or {}).get("averageUtilization")
        value = (usage or {}).get(resource.get("name", ""))
        if not target or value is None:
            continue
        ratio = value / target
        wanted.append(current if abs(ratio - 1.0) <= TOLERANCE else math.ceil(current * ratio))
    return _bounded(autoscaler, max(wanted, default=current))


def _bounded(autoscaler: Object, count: int) -> int:
    least = autoscaler["spec"].get("minReplicas")
    return int(max(1 if least is None else least, min(autoscaler["spec"]["maxReplicas"], count)))


def _target(autoscaler: Object) -> tuple[str, ...]:
    reference = autoscaler["spec"]["scaleTargetRef"]
    return (f"{reference['kind']}/{autoscaler['metadata']['namespace']}/{reference['name']}",)


def _scale(obj: Object) -> tuple[int, int]:
    return wanted_replicas(obj), (obj.get("status") or {}).get("replicas", 0)
