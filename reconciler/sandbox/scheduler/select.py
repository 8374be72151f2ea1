"""Choosing a node for one pod: filters, then scores, over the cluster as it is. No requests are sent here."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from reconciler.sandbox.nodes import HOSTNAME, ZONE
from reconciler.sandbox.scheduler.placement import node_matches, preference, untolerated
from reconciler.sandbox.scheduler.state import Cluster, Count, Node, Pod, Spread, Term

_UNSCHEDULABLE: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}

# The weights of kube-scheduler's default plugins.
_SPREAD_WEIGHT: Final = 2
_AFFINITY_WEIGHT: Final = 2
_NODE_AFFINITY_WEIGHT: Final = 2
_TAINT_WEIGHT: Final = 3


@dataclass(frozen=True, slots=True)
class Unfit:
    """No node will do: why, in the words of kube-scheduler."""

    message: str


@dataclass(frozen=True, slots=True)
class _Suitable:
    """What labels and taints leave, for all pods of one node shape: it changes only when nodes do."""

    version: int
    matching: list[Node]  # by selector and affinity
    usable: list[Node]  # also by taints
    reasons: Counter[str]
    static_scores: dict[str, float]


class Selector:
    """Chooses nodes, remembering per shape of pod what does not change from one pod to the next."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._suitable: dict[bytes, _Suitable] = {}

    def select(self, pod: Pod) -> str | Unfit:
        """The name of the best node for `pod`, at random among equals, or why there is none."""
        cluster = self._cluster
        if not cluster.nodes:
            return Unfit("no nodes available to schedule pods")
        suitable = self._suitable_for(pod)
        reasons = Counter(suitable.reasons)
        nodes = self._with_room(pod, suitable.usable, reasons)
        for spread in pod.spreads:
            if spread.hard and nodes:
                nodes = self._spread(pod, spread, suitable, nodes, reasons)
        if nodes and pod.affinity:
            nodes = self._near(pod, nodes, reasons)
        if nodes:
            nodes = self._away(pod, nodes, reasons)
        if not nodes:
            return Unfit(describe(len(cluster.nodes), reasons))
        if len(nodes) == 1:
            return nodes[0].name
        scores = self._scores(pod, suitable, nodes)
        best = max(scores)
        ties = [node.name for node, score in zip(nodes, scores, strict=True) if score >= best - 1e-9]
        return ties[0] if len(ties) == 1 else self._random.choice(ties)

    # filters

    def _suitable_for(self, pod: Pod) -> _Suitable:
        found = self._suitable.get(pod.node_shape)
        if found is not None and found.version == self._cluster.nodes_version:
            return found
        if len(self._suitable) > 1024:
            self._suitable.clear()
        tolerations = pod.spec.get("tolerations") or []
        matching, usable, reasons, scores = [], [], Counter[str](), {}
        for node in self._cluster.nodes.values():
            if not node_matches(pod.spec, node.obj):
                reasons["node(s) didn't match Pod's node affinity/selector"] += 1
                continue
            matching.append(node)
            if node.unschedulable and untolerated((_UNSCHEDULABLE,), tolerations):
                reasons["node(s) were unschedulable"] += 1
                continue
            taint = untolerated(node.taints, tolerations)
            if taint is not None:
                value = taint.get("value") or ""
                reasons[f"node(s) had untolerated taint {{{taint['key']}: {value}}}"] += 1
                continue
            usable.append(node)
        preferred = _share({node.name: preference(pod.spec, node.obj) for node in usable})
        avoided = _share({node.name: _soft_taints(node, tolerations) for node in usable})
        for node in usable:
            liked, disliked = preferred.get(node.name, 0.0), avoided.get(node.name, 0.0)
            scores[node.name] = _NODE_AFFINITY_WEIGHT * liked + _TAINT_WEIGHT * (100.0 - disliked)
        found = _Suitable(self._cluster.nodes_version, matching, usable, reasons, scores)
        self._suitable[pod.node_shape] = found
        return found

    def _with_room(self, pod: Pod, nodes: Iterable[Node], reasons: Counter[str]) -> list[Node]:
        """The nodes whose free resources and ports are enough."""
        requests = [(name, value) for name, value in pod.requests.items() if value]
        fitting = []
        for node in nodes:
            used, allocatable = node.used, node.allocatable
            short = [name for name, value in requests if used.get(name, 0) + value > allocatable.get(name, 0)]
            for name in short:
                reasons["Too many pods" if name == "pods" else f"Insufficient {name}"] += 1
            if short:
                continue
            if pod.ports and _ports_taken(pod, node):
                reasons["node(s) didn't have free ports for the requested pod ports"] += 1
                continue
            fitting.append(node)
        return fitting

    def _spread(
        self, pod: Pod, spread: Spread, suitable: _Suitable, nodes: Sequence[Node], reasons: Counter[str]
    ) -> list[Node]:
        """The nodes where one more pod keeps the skew between domains within bounds."""
        domains = self._domains(pod, spread, suitable)
        least = min(domains.values(), default=0) if len(domains) >= spread.min_domains else 0
        itself = int(spread.selector.matches(pod.key.namespace, pod.labels))
        kept = []
        for node in nodes:
            domain = node.labels.get(spread.topology_key)
            if domain is None:
                reasons["node(s) didn't match pod topology spread constraints (missing required label)"] += 1
            elif domains.get(domain, 0) + itself - least > spread.max_skew:
                reasons["node(s) didn't match pod topology spread constraints"] += 1
            else:
                kept.append(node)
        return kept

    def _domains(self, pod: Pod, spread: Spread, suitable: _Suitable) -> dict[str, int]:
        """How many matching pods each domain has, over the nodes that the constraint's policies let count."""
        count = self._cluster.count(spread.selector)
        nodes: Iterable[Node] = suitable.matching if spread.honor_affinity else self._cluster.nodes.values()
        tolerations = pod.spec.get("tolerations") or []
        hard = [entry.topology_key for entry in pod.spreads if entry.hard]
        domains: dict[str, int] = {}
        for node in nodes:
            if any(key not in node.labels for key in hard):
                continue
            if spread.honor_taints and untolerated(node.taints, tolerations) is not None:
                continue
            domain = node.labels.get(spread.topology_key)
            if domain is not None:
                domains[domain] = domains.get(domain, 0) + count.get(node.name, 0)
        return domains

    def _near(self, pod: Pod, nodes: Sequence[Node], reasons: Counter[str]) -> list[Node]:
        """The nodes in a domain with a pod of each required affinity term.

        When no pod matches any term, a pod that matches all its own terms may be the first of its group.
        """
        places = [(term, self._domain_counts(term)) for term in pod.affinity]
        nobody = not any(domains for _, domains in places)
        first = nobody and all(term.selector.matches(pod.key.namespace, pod.labels) for term in pod.affinity)
        kept = []
        for node in nodes:
            labels = node.labels
            if all(
                term.topology_key in labels and (first or labels[term.topology_key] in domains)
                for term, domains in places
            ):
                kept.append(node)
            else:
                reasons["node(s) didn't match pod affinity rules"] += 1
        return kept

    def _away(self, pod: Pod, nodes: Sequence[Node], reasons: Counter[str]) -> list[Node]:
        """The nodes without a neighbour that the pod refuses, or that refuses the pod."""
        refused = {(term.topology_key, domain) for term in pod.anti_affinity for domain in self._domain_counts(term)}
        repelled = self._cluster.repelled(pod)
        if not refused and not repelled:
            return list(nodes)
        kept = []
        for node in nodes:
            domains = node.labels.items()
            if not refused.isdisjoint(domains):
                reasons["node(s) didn't match pod anti-affinity rules"] += 1
            elif not repelled.isdisjoint(domains):
                reasons["node(s) didn't satisfy existing pods anti-affinity rules"] += 1
            else:
                kept.append(node)
        return kept

    def _domain_counts(self, term: Term) -> dict[str, int]:
        """How many placed pods a term matches, by the value of its topology key."""
        domains: dict[str, int] = {}
        for name, number in self._cluster.count(term.selector).items():
            node = self._cluster.nodes.get(name)
            if node is not None and (domain := node.labels.get(term.topology_key)) is not None:
                domains[domain] = domains.get(domain, 0) + number
        return domains

    # scores

    def _scores(self, pod: Pod, suitable: _Suitable, nodes: Sequence[Node]) -> list[float]:
        scores = [suitable.static_scores[node.name] + _room_score(pod, node) for node in nodes]
        soft = [(self._cluster.count(entry.selector), entry.topology_key) for entry in pod.spreads if not entry.hard]
        if not pod.spreads and pod.owner:  # the cluster-wide default: apart from one's siblings
            siblings = self._cluster.siblings(pod.owner)
            if siblings:
                soft = [(siblings, HOSTNAME), (siblings, ZONE)]
        if soft:
            _add(scores, _SPREAD_WEIGHT, _even(soft, nodes))
        if pod.attracted:
            terms = [(term, self._domain_counts(term)) for term in pod.attracted]
            raw = [
                float(
                    sum(term.weight * domains.get(node.labels.get(term.topology_key, ""), 0) for term, domains in terms)
                )
                for node in nodes
            ]
            low, high = min(raw), max(raw)
            if high > low:
                _add(scores, _AFFINITY_WEIGHT, [100.0 * (value - low) / (high - low) for value in raw])
        return scores


def describe(total: int, reasons: Mapping[str, int]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`"""
    parts = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"0/{total} nodes are available: {', '.join(parts)}."


def _room_score(pod: Pod, node: Node) -> float:
    """0 to 200: the mean share left free of CPU and memory, and how evenly the two are used."""
    shares = []
    for name, used, more in zip(("cpu", "memory"), node.compared, pod.compared, strict=True):
        whole = node.allocatable.get(name, 0)
        shares.append(min(1.0, (used + more) / whole) if whole else 1.0)
    free = 100.0 * (2.0 - shares[0] - shares[1]) / 2
    balance = 100.0 * (1.0 - abs(shares[0] - shares[1]) / 2)
    return free + balance


def _even(constraints: Iterable[tuple[Count, str]], nodes: Sequence[Node]) -> list[float]:
    """0 to 100: higher where fewer pods match; a node without the label scores 0."""
    totals = [0.0] * len(nodes)
    missing = [False] * len(nodes)
    for count, topology_key in constraints:
        domains: dict[str, int] = {}
        for node in nodes:
            domain = node.labels.get(topology_key, "")
            domains[domain] = domains.get(domain, 0) + count.get(node.name, 0)
        weight = math.log(len(domains) + 2)
        for position, node in enumerate(nodes):
            domain = node.labels.get(topology_key, "")
            missing[position] |= not domain
            totals[position] += domains[domain] * weight
    high, low = max(totals), min(totals)
    if high == 0:
        return [0.0 if gap else 100.0 for gap in missing]
    return [0.0 if gap else 100.0 * (high + low - total) / high for total, gap in zip(totals, missing, strict=True)]


def _share(values: Mapping[str, int]) -> dict[str, float]:
    """`values` as percentages of the largest."""
    high = max(values.values(), default=0)
    return {name: 100.0 * value / high for name, value in values.items()} if high else {}


def _soft_taints(node: Node, tolerations: Sequence[dict[str, object]]) -> int:
    soft = (taint for taint in node.taints if taint["effect"] == "PreferNoSchedule")
    return sum(untolerated((taint,), tolerations, ("PreferNoSchedule",)) is not None for taint in soft)


def _ports_taken(pod: Pod, node: Node) -> bool:
    taken = {port for other in node.pods.values() for port in other.ports}
    anywhere = ("0.0.0.0", "::")  # noqa: S104  # addresses that overlap every other
    return any(
        protocol == other_protocol and number == other and (address == held or address in anywhere or held in anywhere)
        for protocol, address, number in pod.ports
        for other_protocol, held, other in taken
    )


def _add(scores: list[float], weight: int, more: Sequence[float]) -> None:
    for position, value in enumerate(more):
        scores[position] += weight * value
