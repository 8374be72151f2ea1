"""Rules among replicas: pod affinity, anti-affinity and topology spread, as counts over the domains of a node label.

Kubernetes' own semantics: a domain is the nodes with the same value of the topology key; anti-affinity also works the
other way round (a pod that carries it keeps others away); an affinity that nobody matches yet lets the first replica
that matches itself in; a hard spread counts the domains of the nodes that selector and affinity of the pod allow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reconciler.kube.selector import LabelSelector
from reconciler.model.cluster_view import HOSTNAME, NodeView, PodAffinity, PodView
from reconciler.model.plan import Constraint
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.states import Bools, Floats, Ints

MOST_DOMAINS = 16  # over more, a spread is placed replica by replica


@dataclass(frozen=True, slots=True)
class _Watch:
    """Pods of one namespace that a selector matches, counted by the domains of one label."""

    key: str
    namespace: str
    selector: LabelSelector


@dataclass(frozen=True, slots=True)
class _Rule:
    """One term of one workload. `matches` says whether its own replicas count."""

    constraint: Constraint
    watch: int
    hard: bool
    matches: bool
    weight: int
    skew: int = 0
    domains: Ints | None = None  # of a spread: those that are counted


@dataclass(frozen=True, slots=True)
class Simple:
    """`alone`: at most one a node. `domain` of each node, `count` in each and those that are `counted`, where a hard
    spread bounds the skew."""

    alone: bool
    domain: Ints | None
    count: Ints | None
    counted: Ints | None
    skew: int


class Topology:
    """The counts, kept as replicas come and go."""

    def __init__(
        self,
        nodes: Sequence[NodeView],
        needs: Sequence[WorkloadNeed],
        foreign: Sequence[tuple[PodView, int]],
        eligible: Bools,
    ) -> None:
        """`foreign` are pods that we do not plan, with their nodes; `eligible` (workloads × nodes) says over which
        nodes a workload's spread is counted."""
        self._nodes = nodes
        self._watches: dict[_Watch, int] = {}
        self._domain: dict[str, Ints] = {}
        self._domains: list[Ints] = []  # per watch: the domain of each node, -1 where it has none
        self._count: list[Ints] = []
        self._key_of: list[str] = []
        self._carried: list[Ints] = []  # replicas that carry a hard anti-affinity with this watch
        self._rules = [self._rules_of(need, eligible[index]) for index, need in enumerate(needs)]
        carried = [self._keeping_away(pod.namespace, pod.affinities) for pod, _ in foreign]
        self._of_namespace: dict[str, list[tuple[int, LabelSelector]]] = {}
        for watch, number in self._watches.items():
            self._of_namespace.setdefault(watch.namespace, []).append((number, watch.selector))
        self._counted = [self._matching(need.identity.namespace, need.labels) for need in needs]
        self._carrying = [
            [rule.watch for rule in rules if rule.constraint is Constraint.ANTI_AFFINITY and rule.hard]
            for rules in self._rules
        ]
        for (pod, node), carrying in zip(foreign, carried, strict=True):
            self._change(self._matching(pod.namespace, pod.labels), carrying, node, 1)

    def constrained(self, workload: int) -> bool:
        """Whether a replica's place may depend on, or matter to, where other replicas are."""
        return bool(self._rules[workload] or self._counted[workload])

    def watched(self, workload: int) -> bool:
        """Whether one replica more changes where the next may be."""
        return any(rule.hard for rule in self._rules[workload]) or any(
            self._carried[watch].any() for watch in self._counted[workload]
        )

    def add(self, workload: int, node: int, count: int) -> None:
        """So many replicas more on the node; fewer where negative."""
        self._change(self._counted[workload], self._carrying[workload], node, count)

    def simple(self, workload: int) -> "Simple | None":
        """The hard rules of a workload whose replicas only mind each other, in the two usual forms: one a node, and one
        hard spread. None where its rules are others; its first mask holds for what is there already."""
        rules = [rule for rule in self._rules[workload] if rule.hard]
        own = {rule.watch for rule in self._rules[workload]}
        if any(rule.constraint is Constraint.AFFINITY for rule in self._rules[workload]):
            return None
        if any(watch not in own and self._carried[watch].any() for watch in self._counted[workload]):
            return None
        spreads = [rule for rule in rules if rule.constraint is Constraint.SPREAD]
        alone = [rule for rule in rules if rule.constraint is Constraint.ANTI_AFFINITY and rule.matches]
        if len(spreads) > 1 or any(self._key_of[rule.watch] != HOSTNAME for rule in alone):
            return None
        if not spreads:
            return Simple(bool(alone), None, None, None, 0)
        (spread,) = spreads
        if spread.domains is None or not spread.matches or len(spread.domains) > MOST_DOMAINS:
            return None
        return Simple(
            bool(alone), self._domains[spread.watch], self._count[spread.watch].copy(), spread.domains, spread.skew
        )

    def mask(self, workload: int) -> Bools | None:
        """Nodes that the hard rules leave for one replica more; None where they leave all."""
        allowed: Bools | None = None
        for _, part in self.parts(workload):
            allowed = part if allowed is None else allowed & part
        return allowed

    def admits(self, workload: int, node: int) -> bool:
        """Whether the hard rules let one replica more onto this node: the mask at one place, for much less."""
        return all(self._admits(rule, node) for rule in self._rules[workload] if rule.hard) and not any(
            self._domains[watch][node] >= 0 and self._carried[watch][self._domains[watch][node]]
            for watch in self._counted[workload]
        )

    def parts(self, workload: int) -> list[tuple[Constraint, Bools]]:
        """The same, rule by rule."""
        found = [(rule.constraint, self._allowed(rule)) for rule in self._rules[workload] if rule.hard]
        for watch in self._counted[workload]:
            if self._carried[watch].any():
                free = _at(self._carried[watch], self._domains[watch]) == 0
                found.append((Constraint.ANTI_AFFINITY, free))
        return found

    def preference(self, workload: int, wanted: Constraint) -> Floats | None:
        """How well each node meets the soft rules of one sort, in [0, 1]; None where there are none."""
        total, score = 0.0, np.zeros(len(self._nodes))
        for rule in self._rules[workload]:
            if rule.hard or (rule.constraint is Constraint.SPREAD) is not (wanted is Constraint.SPREAD):
                continue
            total += rule.weight
            count = _at(self._count[rule.watch], self._domains[rule.watch])
            if rule.constraint is Constraint.SPREAD:
                over = self._skew(rule) - rule.skew
                score += rule.weight * (1 - np.clip(over, 0, None) / (1 + np.clip(over, 0, None)))
            elif rule.constraint is Constraint.AFFINITY:
                score += rule.weight * (count > 0)
            else:
                score += rule.weight * (count == 0)
        return score / total if total else None

    def _rules_of(self, need: WorkloadNeed, eligible: Bools) -> tuple[_Rule, ...]:
        rules = []
        space = need.identity.namespace
        for term in need.affinities:
            watch = self._watch(_Watch(term.topology_key, space, term.selector))
            what = Constraint.ANTI_AFFINITY if term.anti else Constraint.AFFINITY
            rules.append(_Rule(what, watch, term.required, term.selector.matches(need.labels), max(term.weight, 1)))
        for spread in need.spreads:
            watch = self._watch(_Watch(spread.topology_key, space, spread.selector))
            domains = self._domains[watch][eligible]
            counted = np.unique(domains[domains >= 0])
            matches, skew = spread.selector.matches(need.labels), max(spread.max_skew, 1)
            rules.append(_Rule(Constraint.SPREAD, watch, spread.hard, matches, 1, skew, counted))
        return tuple(rules)

    def _watch(self, watch: _Watch) -> int:
        number = self._watches.setdefault(watch, len(self._watches))
        if number == len(self._count):
            domain = self._domain.get(watch.key)
            if domain is None:
                values: dict[str, int] = {}
                names = [node.labels.get(watch.key) for node in self._nodes]
                numbers = [-1 if name is None else values.setdefault(name, len(values)) for name in names]
                domain = self._domain[watch.key] = np.array(numbers, np.int64)
            size = int(domain.max(initial=-1)) + 1
            self._domains.append(domain)
            self._key_of.append(watch.key)
            self._count.append(np.zeros(size, np.int64))
            self._carried.append(np.zeros(size, np.int64))
        return number

    def _keeping_away(self, namespace: str, affinities: Iterable[PodAffinity]) -> list[int]:
        return [
            self._watch(_Watch(term.topology_key, namespace, term.selector))
            for term in affinities
            if term.anti and term.required
        ]

    def _matching(self, namespace: str, labels: Mapping[str, str]) -> list[int]:
        return [number for number, selector in self._of_namespace.get(namespace, ()) if selector.matches(labels)]

    def _change(self, counted: Iterable[int], carrying: Iterable[int], node: int, count: int) -> None:
        for watch in counted:
            domain = self._domains[watch][node]
            if domain >= 0:
                self._count[watch][domain] += count
        for watch in carrying:
            domain = self._domains[watch][node]
            if domain >= 0:
                self._carried[watch][domain] += count

    def _allowed(self, rule: _Rule) -> Bools:
        domain = self._domains[rule.watch]
        count = _at(self._count[rule.watch], domain)
        if rule.constraint is Constraint.ANTI_AFFINITY:
            alone: Bools = count == 0
            return alone
        has: Bools = domain >= 0
        if rule.constraint is Constraint.AFFINITY:
            nobody = not self._count[rule.watch].any()
            return has if nobody and rule.matches else has & (count > 0)
        even: Bools = has & (self._skew(rule) <= rule.skew)
        return even

    def _admits(self, rule: _Rule, node: int) -> bool:
        domain, counts = int(self._domains[rule.watch][node]), self._count[rule.watch]
        count = int(counts[domain]) if domain >= 0 else 0
        if rule.constraint is Constraint.ANTI_AFFINITY:
            return count == 0
        if domain < 0:
            return False
        if rule.constraint is Constraint.AFFINITY:
            return count > 0 or (rule.matches and not counts.any())
        least = int(counts[rule.domains].min()) if rule.domains is not None and len(rule.domains) else 0
        return count + int(rule.matches) - least <= rule.skew

    def _skew(self, rule: _Rule) -> Ints:
        """Of each node's domain, were one replica added there, over the emptiest domain."""
        counts = self._count[rule.watch]
        least = int(counts[rule.domains].min()) if rule.domains is not None and len(rule.domains) else 0
        skew: Ints = _at(counts, self._domains[rule.watch]) + int(rule.matches) - least
        return skew


def _at(counts: Ints, domain: Ints) -> Ints:
    """The count of each node's domain; 0 where it has none."""
    if not len(counts):
        return np.zeros(len(domain), np.int64)
    found: Ints = np.where(domain >= 0, counts[domain], 0)
    return found
