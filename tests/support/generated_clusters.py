"""Random small clusters and workloads for the planner, with every sort of rule, and a judge that knows no planner."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector, Operator, Requirement
from reconciler.model.cluster_view import (
    GPU,
    HOSTNAME,
    ZONE,
    Effect,
    Gpu,
    NodeView,
    PodAffinity,
    PodView,
    Quota,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.plan import Plan
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import PROFILES, Policy, TermName

MEBI = 1 << 20
SPACES = ("shop", "bank")
ZONES = ("a", "b", "c")
POOLS = ("general", "spot", "gpu")
T = TypeVar("T")
MODELS = ("T4", "A10")


@dataclass(frozen=True)
class Question:
    nodes: tuple[NodeView, ...]
    running: tuple[PodView, ...]
    needs: tuple[WorkloadNeed, ...]
    pools: tuple[Pool, ...]
    policy: Policy
    quotas: tuple[Quota, ...] = ()


def identity(name: str, namespace: str = "shop") -> Identity:
    return Identity("reconciler.dev", "Deployment", namespace, name)


def app(name: str) -> LabelSelector:
    return LabelSelector.of({"matchLabels": {"app": name}})


amounts = st.builds(
    Resources,
    cpu=st.sampled_from([0, 100, 300, 700, 1000, 1500, 3000]),
    memory=st.sampled_from([0, 100, 300, 700, 1500, 3000]).map(lambda n: n * MEBI),
)


def mostly(usual: T, *others: T) -> st.SearchStrategy[T]:
    """The usual in four of five cases."""
    return st.sampled_from([usual] * (4 * len(others)) + list(others))


gpus = st.sampled_from(
    [
        *[Gpu()] * 8,
        Gpu(1),
        Gpu(2),
        Gpu(1, 300),
        Gpu(1, 700),
        Gpu(1, 500, frozenset(["T4"])),
        Gpu(1, 1000, frozenset(["A10"])),
    ]
)


stated_weights = st.builds(
    PlannerSettings,
    st.sampled_from([None, *PROFILES]),
    st.dictionaries(
        st.sampled_from([name.value for name in TermName]), st.sampled_from([0.0, 0.001, 0.3, 2.0, 1000.0]), max_size=4
    ),
)


@st.composite
def nodes(draw: st.DrawFn, most: int = 8) -> tuple[NodeView, ...]:
    found = []
    for number in range(draw(st.sampled_from([0, *range(1, most + 1), *range(3, most + 1), *range(3, most + 1)]))):
        pool = draw(st.sampled_from(POOLS))
        labels = {"pool": pool, HOSTNAME: f"n{number}"}
        if (zone := draw(st.sampled_from([*ZONES, *ZONES, ""]))) != "":
            labels[ZONE] = zone
        gpu = pool == "gpu"
        found.append(
            NodeView(
                f"n{number}",
                Resources(draw(st.sampled_from([4000, 8000, 2000])), draw(st.sampled_from([8192, 3072])) * MEBI),
                labels,
                draw(mostly((), (Taint("dedicated", pool),), (Taint("soft", "", Effect.PREFER_NO_SCHEDULE),))),
                pods=draw(st.sampled_from([2, 5, 110])),
                gpus=draw(st.integers(1, 4)) if gpu else 0,
                gpu_model=draw(st.sampled_from(MODELS)) if gpu else "",
                ready=draw(mostly(True, False)),
                schedulable=draw(mostly(True, False)),
            )
        )
    return tuple(found)


@st.composite
def need(draw: st.DrawFn, name: str, peers: Sequence[str]) -> WorkloadNeed:
    other = draw(st.sampled_from(list(peers)))
    rules = draw(
        st.sampled_from(
            [
                *[()] * 3,
                *[(PodAffinity(HOSTNAME, app(name), anti=True),)] * 2,
                (PodAffinity(ZONE, app(other), anti=True),),
                (PodAffinity(ZONE, app(other)),),
                (PodAffinity(HOSTNAME, app(other), required=False, weight=10),),
                (PodAffinity(ZONE, app(other), anti=True, namespaces=frozenset({"bank"})),),
                (PodAffinity(HOSTNAME, app(other), namespaces=frozenset(SPACES)),),
            ]
        )
    )
    spreads = draw(
        st.sampled_from(
            [
                *[()] * 3,
                *[(TopologySpread(ZONE, 1, app(name), hard=True),)] * 2,
                (TopologySpread(HOSTNAME, 2, app(name), hard=True),),
                (TopologySpread(HOSTNAME, 2, app(name)),),
            ]
        )
    )
    no_spot = (Requirement("pool", Operator.NOT_IN, frozenset(["spot"])),)
    in_zone = (Requirement(ZONE, Operator.EXISTS),)
    affinity = draw(mostly((), (no_spot,), (in_zone,)))
    return WorkloadNeed(
        identity(name, draw(mostly(*SPACES))),
        draw(st.one_of(st.integers(0, 9), st.integers(8, 40))),
        draw(amounts),
        draw(gpus),
        labels={"app": name},
        pool=draw(mostly(None, "general")),
        zones=draw(mostly(frozenset(), frozenset("ab"))),
        volume_zones=draw(mostly(frozenset(), frozenset("a"))),
        node_selector=draw(mostly({}, {"pool": "general"})),
        node_affinity=affinity,
        tolerations=draw(st.sampled_from([(), (Toleration(exists=True),), (Toleration("dedicated", "gpu"),)])),
        affinities=rules,
        spreads=spreads,
        priority=draw(st.sampled_from([0, 0, 100])),
        disruptions=draw(st.sampled_from([None, 0, 1])),
        movable=draw(st.booleans()),
        weighs=draw(st.one_of(st.none(), st.none(), stated_weights)),
    )


@st.composite
def resource_quota(draw: st.DrawFn) -> Quota:
    bounds = {"cpu": [0, 2000, 9000], "memory": [3000 * MEBI, 20_000 * MEBI], "pods": [1, 4, 12], GPU: [0, 1, 3]}
    named = draw(st.lists(st.sampled_from(sorted(bounds)), min_size=1, max_size=3, unique=True))
    hard = tuple((name, draw(st.sampled_from(bounds[name]))) for name in sorted(named))
    return Quota(draw(st.sampled_from(SPACES)), f"q{draw(st.integers(0, 9))}", hard)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    there = draw(nodes())
    names = [f"w{number}" for number in range(draw(st.integers(0, 5)))]
    needs = tuple(draw(need(name, names)) for name in names)
    running = []
    for number in range(draw(st.integers(0, 4)) if there else 0):
        node = draw(st.sampled_from(there))
        labels = {"app": draw(st.sampled_from([*names, "other"]))}
        away = PodAffinity(HOSTNAME, app("w0"), anti=True, namespaces=draw(mostly(None, frozenset({"bank"}))))
        rules = draw(st.sampled_from([(), (), (away,)]))
        size = Resources(draw(st.sampled_from([0, 500])), 100 * MEBI)
        space = draw(mostly(*SPACES))
        running.append(PodView(space, f"p{number}", node.name, size, labels=labels, affinities=rules))
    limits = Resources(cpu=draw(st.sampled_from([0, 3000, 9000])))
    pools = (
        Pool("general", {"pool": "general"}, 1.0),
        Pool(
            "spot",
            {"pool": "spot"},
            draw(st.sampled_from([None, 0.2])),
            spot=True,
            limits=limits if limits.cpu else None,
        ),
        Pool("gpu", {"pool": "gpu"}, 5.0),
        *draw(mostly((), (Pool("general again", {"pool": "general"}, 3.0),))),
    )
    quota = draw(st.sampled_from([0, 0, 6000]))
    policy = Policy(
        draw(st.sampled_from(["balanced", "cost", "resilient"])),
        iterations=draw(mostly(60, 3)),  # with few rounds, few nodes take part
        quotas={"shop": Resources(cpu=quota)} if quota else {},
    )
    found = draw(st.one_of(st.just([]), st.lists(resource_quota(), max_size=3, unique_by=lambda each: each.name)))
    return Question(there, tuple(running), needs, pools, policy, tuple(found))


def replicas(question: Question, plan: Plan) -> list[PodView]:
    """The plan carried out: a pod for each replica that has a node."""
    found = []
    for asked in question.needs:
        number = 0
        for node, count in sorted(plan.assignment.get(asked.identity, {}).items()):
            for _ in range(count):
                found.append(
                    PodView(
                        asked.identity.namespace, f"{asked.identity.name}-{number}", node, asked.requests,
                        asked.identity, asked.labels, asked.gpu, affinities=asked.affinities,
                    )
                )  # fmt: skip
                number += 1
    return found


def violations(question: Question, plan: Plan) -> list[str]:
    """What the plan does that Kubernetes would not, in words. Written from the API's documentation, not from ours."""
    found: list[str] = []
    at = {node.name: node for node in question.nodes}
    needs = {asked.identity: asked for asked in question.needs}
    pods = replicas(question, plan)
    others = [pod for pod in question.running if pod.owner is None and at[pod.node].ready]
    for node in question.nodes:
        on = [pod for pod in [*pods, *others] if pod.node == node.name]
        ours = [pod for pod in pods if pod.node == node.name]
        if not ours:
            continue
        if sum(pod.requests.cpu for pod in on) > node.allocatable.cpu:
            found.append(f"{node.name}: cpu")
        if sum(pod.requests.memory for pod in on) > node.allocatable.memory:
            found.append(f"{node.name}: memory")
        if len(on) > node.pods:
            found.append(f"{node.name}: pods")
        if not _devices_suffice([pod.gpu for pod in on if pod.gpu.count], node.gpus):
            found.append(f"{node.name}: GPUs")
    for pod in pods:
        asked, node = needs[pod.owner], at[pod.node]  # type: ignore[index]
        found += [f"{pod.name} on {node.name}: {what}" for what in _refused(asked, node)]
    found += _topology(question, pods, others, at, needs)
    found += _budgets(question, pods, at)
    return found


def _devices_suffice(asked: Iterable[Gpu], devices: int) -> bool:
    """Whether some way to share out the devices exists: tried exhaustively, the large first."""
    order = sorted(asked, key=lambda gpu: (-gpu.count, -gpu.milli))

    def fits(index: int, free: tuple[int, ...]) -> bool:
        if index == len(order):
            return True
        gpu = order[index]
        if gpu.count > 1:
            chosen = [number for number, left in enumerate(free) if left >= gpu.milli][: gpu.count]
            if len(chosen) < gpu.count:
                return False
            left = tuple(room - gpu.milli * (number in chosen) for number, room in enumerate(free))
            return fits(index + 1, tuple(sorted(left)))
        for room in sorted({room for room in free if room >= gpu.milli}):
            number = free.index(room)
            if fits(index + 1, tuple(sorted((*free[:number], room - gpu.milli, *free[number + 1 :])))):
                return True
        return False

    return fits(0, (1000,) * devices)


def _refused(asked: WorkloadNeed, node: NodeView) -> list[str]:
    zone = node.labels.get(ZONE, "")
    wrong = []
    if asked.pool and node.labels["pool"] != asked.pool:
        wrong.append("pool")
    if (asked.zones and zone not in asked.zones) or (asked.volume_zones and zone not in asked.volume_zones):
        wrong.append("zone")
    if any(node.labels.get(key) != value for key, value in asked.node_selector.items()):
        wrong.append("selector")
    if asked.node_affinity and not any(all(r.matches(node.labels) for r in term) for term in asked.node_affinity):
        wrong.append("affinity")
    for taint in node.taints:
        tolerated = any(toleration.tolerates(taint) for toleration in asked.tolerations)
        if taint.effect is not Effect.PREFER_NO_SCHEDULE and not tolerated:
            wrong.append("taint")
    if asked.gpu.count and asked.gpu.models and node.gpu_model not in asked.gpu.models:
        wrong.append("model")
    if not (node.ready and node.schedulable):
        wrong.append("closed")
    return wrong


def _topology(
    question: Question,
    pods: Sequence[PodView],
    others: Sequence[PodView],
    at: Mapping[str, NodeView],
    needs: Mapping[Identity, WorkloadNeed],
) -> list[str]:
    found = []
    every = [*pods, *others]
    for pod in every:
        for rule in pod.affinities:
            if not rule.required:
                continue
            domain = at[pod.node].labels.get(rule.topology_key)
            meant = [
                other
                for other in every
                if rule.selector.matches(other.labels) and other.namespace in (rule.namespaces or {pod.namespace})
            ]
            matching = [
                other
                for other in meant
                if other is not pod
                and domain is not None and at[other.node].labels.get(rule.topology_key) == domain
            ]  # fmt: skip
            # Pods of others were there before: what they keep away is only ours.
            if rule.anti and any(pod.owner or other.owner for other in matching):
                found.append(f"{pod.name}: anti-affinity with {matching[0].name}")
            if not rule.anti and pod.owner and (domain is None or not matching):
                alone = pod in meant and domain is not None
                # The scheduler counts nobody on a node without the topology's label: there nobody came first.
                first = [other for other in meant if other is not pod and rule.topology_key in at[other.node].labels]
                if first or not alone:
                    found.append(f"{pod.name}: affinity")
    for asked in question.needs:
        for spread in asked.spreads:
            runs = Counter(pod.node for pod in question.running if pod.owner == asked.identity)
            mine = []  # those that have yet to start: what runs may stay whatever becomes of the others
            for pod in (pod for pod in pods if pod.owner == asked.identity):
                runs[pod.node] -= 1
                mine += [pod] if runs[pod.node] < 0 else []
            if not spread.hard or not mine:
                continue
            counted = {
                node.labels[spread.topology_key]
                for node in question.nodes
                if spread.topology_key in node.labels and not set(_refused(asked, node)) & {"selector", "affinity"}
            }
            count = Counter(
                at[pod.node].labels.get(spread.topology_key)
                for pod in every
                if spread.selector.matches(pod.labels) and pod.namespace == asked.identity.namespace
            )
            least = min(count[domain] for domain in counted)
            for pod in mine:
                domain = at[pod.node].labels.get(spread.topology_key)
                if domain is None or (len(others) == 0 and count[domain] - least > spread.max_skew):
                    found.append(f"{pod.name}: spread over {spread.topology_key}")
    return found


def _budgets(question: Question, pods: Sequence[PodView], at: Mapping[str, NodeView]) -> list[str]:
    found = []
    for pool in question.pools:
        used = sum(pod.requests.cpu for pod in pods if at[pod.node].labels["pool"] == pool.name)
        if pool.limits and used > pool.limits.cpu:
            found.append(f"limit of {pool.name}")
    for space, quota in question.policy.quotas.items():
        if sum(pod.requests.cpu for pod in pods if pod.namespace == space) > quota.cpu:
            found.append(f"quota of {space}")
    for quota in question.quotas:
        inside = [pod for pod in pods if pod.namespace == quota.namespace]
        others = [pod for pod in question.running if pod.owner is None and pod.namespace == quota.namespace]
        for name, most in quota.hard:
            # Nobody is driven out where others took too much; no more come in.
            if _amount(inside, name) > max(most - _amount(others, name), 0):
                found.append(f"{name} of {quota.name}")
    return found


def _amount(pods: Iterable[PodView], name: str) -> int:
    def of(pod: PodView) -> int:
        gpus = pod.gpu.count if pod.gpu.milli == 1000 else 0
        return {"cpu": pod.requests.cpu, "memory": pod.requests.memory, "pods": 1, GPU: gpus}[name]

    return sum(map(of, pods))


def more_of(question: Question) -> Question:
    """The same with each node twice."""
    twins = tuple(
        replace(node, name=f"{node.name}-twin", labels={**node.labels, HOSTNAME: f"{node.name}-twin"})
        for node in question.nodes
    )
    return replace(question, nodes=question.nodes + twins)
