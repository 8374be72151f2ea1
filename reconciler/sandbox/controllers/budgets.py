"""PodDisruptionBudget: how many pods may be disturbed right now."""

from collections.abc import Iterable
from typing import ClassVar

from reconciler.sandbox.client import BUDGETS, DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, Key, Object, key_of
from reconciler.sandbox.controllers.conditions import with_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import controller_of, is_deleting
from reconciler.sandbox.controllers.pods import is_finished, is_ready
from reconciler.sandbox.controllers.replicaset import wanted_replicas
from reconciler.sandbox.controllers.rollout import share
from reconciler.sandbox.controllers.selected import SELECTED, index_pods, place, places, pods_matching


class BudgetController(Controller):
    """Counts healthy pods against the budget; the eviction API reads the answer."""

    name: ClassVar[str] = "disruption-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._budgets = self.follow(BUDGETS)
        self._budgets.add_index(SELECTED, _selected)
        self._pods = self.informers.of(PODS)
        index_pods(self._pods)
        self._pods.subscribe(self._pod_changed)
        self._scales = {kind.kind: self.informers.of(kind) for kind in (REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS)}
        for kind in (REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS):
            self._scales[kind.kind].subscribe(self._scaled)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _health(old) == _health(new):
            return
        for pod in (old, new):
            for where in places(pod) if pod is not None else ():
                for budget in self._budgets.by(SELECTED, where):
                    self.queue.add(key_of(budget))

    def _scaled(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and wanted_replicas(old) != wanted_replicas(new):
            for budget in self._budgets.namespace(new["metadata"]["namespace"]):
                self.queue.add(key_of(budget))

    async def reconcile(self, key: Key) -> None:
        budget = self._budgets.get(key)
        if budget is None or is_deleting(budget):
            return
        found = pods_matching(self._pods, key.namespace, budget["spec"].get("selector"))
        pods = [pod for pod in found if not is_finished(pod)]
        status = status_of(budget, pods, self._expected(pods), now=self.now())
        await self.set_status(BUDGETS, budget, status)

    def _expected(self, pods: Iterable[Object]) -> int:
        """The replicas that the controllers of `pods` want, together; a pod without one counts for itself."""
        wanted: dict[str, int] = {}
        for pod in pods:
            uid, count = self._scale(pod)
            wanted[uid] = count
        return sum(wanted.values())

    def _scale(self, pod: Object) -> tuple[str, int]:
        owner: Object = pod
        found = pod["metadata"]["uid"], 1
        for _ in range(2):  # a pod's ReplicaSet, and that one's Deployment
            reference = controller_of(owner)
            informer = self._scales.get(reference["kind"]) if reference else None
            above = (
                informer.get(Key(pod["metadata"]["namespace"], reference["name"])) if informer and reference else None
            )
            if above is None:
                break
            owner, found = above, (above["metadata"]["uid"], wanted_replicas(above))
        return found


def status_of(budget: Object, pods: Iterable[Object], expected: int, *, now: str) -> Object:
    """The status of a budget over `pods`, whose controllers want `expected` of them. Pure."""
    spec, old = budget["spec"], budget.get("status") or {}
    pods = list(pods)
    healthy = sum(is_ready(pod) and not is_deleting(pod) for pod in pods)
    if spec.get("maxUnavailable") is not None:
        desired = max(0, expected - share(spec["maxUnavailable"], expected, up=True))
    else:
        minimum = spec.get("minAvailable", 1)
        expected = expected if isinstance(minimum, str) else len(pods)
        desired = share(minimum, expected, up=True)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    generation = budget["metadata"].get("generation", 0)
    state = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    conditions = with_condition(
        old.get("conditions") or (), "DisruptionAllowed", *state, "", now=now, observedGeneration=generation
    )
    status: Object = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": generation,
        "conditions": conditions,
    }
    if old.get("disruptedPods"):
        left = {pod["metadata"]["name"] for pod in pods if not is_deleting(pod)}
        status["disruptedPods"] = {name: when for name, when in old["disruptedPods"].items() if name in left}
    return status


def _selected(budget: Object) -> tuple[str, ...]:
    """An index function: where the pods of the budget are found."""
    selector = budget["spec"].get("selector")
    return () if selector is None else (place(budget["metadata"]["namespace"], selector.get("matchLabels")),)


def _health(pod: Object) -> tuple[object, ...]:
    return is_ready(pod), is_finished(pod), is_deleting(pod), pod["metadata"].get("labels")
