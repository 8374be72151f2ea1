"""Rules among replicas: pod affinity, anti-affinity and topology spread, as counts over the domains of a node label.

Kubernetes' own semantics: a domain is the nodes with the same value of the topology key; anti-affinity also works the
other way round (a pod that carries it keeps others away); an affinity that nobody matches yet lets the first replica
that matches itself in; a hard spread counts the domains of the nodes that selector and affinity of the pod allow, or
its tolerations, as it says.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from reconciler.model.cluster_view import HOSTNAME, NodeView, PodAffinity, PodView, TopologySpread
from reconciler.model.plan import Constraint
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.admission import intolerable
from reconciler.planner.grouping import Groups
from reconciler.planner.holdings import Holdings, Standing
from reconciler.planner.rules import Part, Rule, Simple
from reconciler.planner.shapes import Bools, Floats, Ints
from reconciler.planner.watches import Watch, Watches

MOST_DOMAINS = 16  # over more, a spread is placed replica by replica


class Topology:
    """The counts, kept as replicas come and go."""

    def __init__(
        self,
        nodes: Sequence[NodeView],
        needs: Sequence[WorkloadNeed],
        foreign: Iterable[tuple[PodView, int]],
        groups: Groups,
        holdings: Holdings,
    ) -> None:
        """`foreign` are pods that we do not plan, with their nodes; `holdings` say where our replicas are."""
        self._size, self._groups = len(nodes), groups
        self.watches = Watches(nodes, groups, holdings)
        self._spread_over: dict[tuple[str, int, bool, bool], Ints] = {}
        self._alone: dict[str, frozenset[str]] = {}  # sets of one namespace
        self._rules = [self._rules_of(need, index) for index, need in enumerate(needs)]
        self._hard = [[rule for rule in rules if rule.hard] for rules in self._rules]
        self._soft = [[rule for rule in rules if not rule.hard] for rules in self._rules]
        foreign = list(foreign)
        for pod in sorted((pod for pod, _ in foreign if pod.affinities), key=lambda pod: (pod.namespace, pod.name)):
            self._keeping_away(pod.namespace, pod.affinities)  # numbered by who they are, not by who was told first
        others = [(pod, node, self._keeping_away(pod.namespace, pod.affinities)) for pod, node in foreign]
        self._counted = [self.watches.attend(need.identity.namespace, need.labels) for need in needs]
        self._carrying = [
            [rule.watch for rule in rules if rule.constraint is Constraint.ANTI_AFFINITY and rule.hard]
            for rules in self._rules
        ]
        self._leaning: dict[int, list[int]] = {}  # by watch, those with an affinity to what it counts
        for workload, rule in self.hard_rules():
            if rule.constraint is Constraint.AFFINITY:
                self._leaning.setdefault(rule.watch, []).append(workload)
        for workload, (counted, carrying) in enumerate(zip(self._counted, self._carrying, strict=True)):
            self.watches.concern(workload, counted, carrying)
        for pod, node, carrying in others:
            self.watches.foreign(node, self.watches.attend(pod.namespace, pod.labels), carrying)

    def constrained(self, workload: int) -> bool:
        """Whether a replica's place may depend on, or matter to, where other replicas are."""
        return bool(self._rules[workload] or self._counted[workload])

    def ruled(self, workload: int) -> bool:
        """Whether a hard rule may concern it."""
        return bool(self._counted[workload]) or bool(self._hard[workload])

    def hard(self, workload: int) -> list[Rule]:
        """Its own rules that decide where a replica may be."""
        return self._hard[workload]

    def hard_rules(self) -> list[tuple[int, Rule]]:
        """Those of all workloads."""
        return [(workload, rule) for workload, rules in enumerate(self._hard) for rule in rules]

    def leans(self, workload: int) -> bool:
        """Whether it may be let in because others were placed."""
        return any(
            rule.constraint is Constraint.AFFINITY
            or (rule.constraint is Constraint.SPREAD and not self.watches.private(rule.watch, workload))
            for rule in self._hard[workload]
        )

    def leaned_on(self, workload: int) -> bool:
        """Whether somebody must be with it, be it its own kind."""
        return any(watch in self._leaning for watch in self._counted[workload])

    def leaning_on(self, workload: int) -> list[int]:
        """The others that must be with it, or with one like it."""
        counted = self._counted[workload]
        return sorted({other for watch in counted for other in self._leaning.get(watch, ()) if other != workload})

    def counted(self, workload: int) -> list[int]:
        """The watches that its replicas count for."""
        return self._counted[workload]

    def carrying(self, workload: int) -> list[int]:
        """The watches of what its replicas keep away."""
        return self._carrying[workload]

    def watched(self, workload: int) -> bool:
        """Whether one replica more changes where the next may be."""
        return bool(self._hard[workload]) or any(
            self.watches.away(watch) is not None for watch in self._counted[workload]
        )

    def add(self, workload: int, nodes: Ints, counts: Ints) -> None:
        """So many replicas more on each node; fewer where negative. The holdings have changed already."""
        self.watches.add(self._counted[workload], self._carrying[workload], nodes, counts)

    def simple(self, workload: int) -> Simple | None:
        """The hard rules of a workload whose replicas only mind each other, in the two usual forms: one a node, and one
        hard spread. None where its rules are others; its first mask holds for what is there already."""
        rules = self._hard[workload]
        own, watches = {rule.watch for rule in self._rules[workload]}, self.watches
        if any(rule.constraint is Constraint.AFFINITY for rule in self._rules[workload]):
            return None
        if any(watch not in own and watches.away(watch) is not None for watch in self._counted[workload]):
            return None
        spreads = [rule for rule in rules if rule.constraint is Constraint.SPREAD]
        alone = [rule for rule in rules if rule.constraint is Constraint.ANTI_AFFINITY and rule.matches]
        if len(spreads) > 1 or any(watches.key(rule.watch) != HOSTNAME for rule in alone):
            return None
        if not spreads:
            return Simple(bool(alone), "", None, None, None, 0)
        (spread,) = spreads
        if spread.domains is None or not spread.matches or len(spread.domains) > MOST_DOMAINS:
            return None
        counts = watches.counts(spread.watch).copy()
        return Simple(
            bool(alone), watches.key(spread.watch), watches.domain(spread.watch), counts, spread.domains, spread.skew
        )

    def mask(self, workload: int) -> Bools | None:
        """Nodes that the hard rules leave for one replica more; None where they leave all."""
        allowed: Bools | None = None
        for part in self.parts(workload):
            allowed = part.nodes if allowed is None else allowed & part.nodes
        return allowed

    def admits(self, workload: int, node: int) -> bool:
        """Whether the hard rules let one replica more onto this node: the mask at one place, for much less."""
        return all(self._admits(rule, node) for rule in self._hard[workload]) and not any(
            _one(away, self.watches.domain(watch), node)
            for watch in self._counted[workload]
            if (away := self.watches.away(watch)) is not None
        )

    def broken(self, workload: int, nodes: Ints) -> bool:
        """Whether, all being where it is, a hard rule speaks against some replica of the workload on these nodes."""
        for rule in self._rules[workload]:
            if rule.hard and self._breaks(rule, nodes):
                return True
        own = self._carrying[workload]
        for watch in self._counted[workload]:
            away = self.watches.away(watch)
            if away is not None and (_at(away, self.watches.domain(watch)[nodes]) > own.count(watch)).any():
                return True
        return False

    def sound(self, standing: Standing) -> set[int]:
        """Workloads of which no replica is `broken`, all being as it stands: only the usual ones, all at a look.

        Those whose rules concern nobody else: one a node, or one spread.
        """
        alone, spread = [], dict[tuple[str, int], list[tuple[int, Rule]]]()
        for workload, rules in enumerate(self._rules):
            if len(rules) != 1 or not all(self.watches.private(watch, workload) for watch in self._counted[workload]):
                continue
            (rule,) = rules
            if not rule.matches or not rule.hard:
                continue
            key = self.watches.key(rule.watch)
            if rule.constraint is Constraint.ANTI_AFFINITY and self.watches.size(rule.watch) == self._size:
                alone.append(workload)
            elif rule.constraint is Constraint.SPREAD and rule.domains is not None and len(rule.domains):
                spread.setdefault((key, id(rule.domains)), []).append((workload, rule))
        total = len(self._rules)
        workloads = standing.workloads()
        most = np.zeros(total, np.int64)
        np.maximum.at(most, workloads, standing.counts)
        found = {workload for workload in alone if most[workload] <= 1}
        for of_key in spread.values():
            numbers, (first, *_) = np.full(total, -1, np.int64), [rule for _, rule in of_key]
            numbers[[workload for workload, _ in of_key]] = np.arange(len(of_key))
            rows = np.flatnonzero(numbers[workloads] >= 0)
            domain = self.watches.domain(first.watch)[standing.nodes[rows]]
            size = self.watches.size(first.watch)
            counts = np.zeros((len(of_key), size + 1), np.int64)
            np.add.at(counts, (numbers[workloads[rows]], domain), standing.counts[rows])  # -1 is the last
            skew = counts[:, :size].max(axis=1) - counts[:, first.domains].min(axis=1)
            found |= {
                w
                for (w, rule), over, lost in zip(of_key, skew, counts[:, -1], strict=True)
                if over <= rule.skew and not lost
            }
        return found

    def parts(self, workload: int) -> list[Part]:
        """The same, rule by rule."""
        found = [
            Part(rule.constraint, self._allowed(rule), self.watches.key(rule.watch), rule)
            for rule in self._hard[workload]
        ]
        for watch in self._counted[workload]:
            if (away := self.watches.away(watch)) is not None:
                free = _at(away, self.watches.domain(watch)) == 0
                found.append(Part(Constraint.ANTI_AFFINITY, free, self.watches.key(watch)))
        return found

    def skew(self, rule: Rule, node: int) -> int | None:
        """Of the node's domain, were a replica added there; None where the node is in no domain."""
        return int(self._skew(rule)[node]) if self.watches.domain(rule.watch)[node] >= 0 else None

    def preference(self, workload: int, wanted: Constraint) -> Floats | None:
        """How well each node meets the soft rules of one sort, in [0, 1]; None where there are none."""
        if not self._soft[workload]:
            return None
        total, score = 0.0, np.zeros(self._size)
        for rule in self._soft[workload]:
            if (rule.constraint is Constraint.SPREAD) is not (wanted is Constraint.SPREAD):
                continue
            total += rule.weight
            count = _at(self.watches.counts(rule.watch), self.watches.domain(rule.watch))
            if rule.constraint is Constraint.SPREAD:
                over = self._skew(rule) - rule.skew
                score += rule.weight * (1 - np.clip(over, 0, None) / (1 + np.clip(over, 0, None)))
            elif rule.constraint is Constraint.AFFINITY:
                score += rule.weight * (count > 0)
            else:
                score += rule.weight * (count == 0)
        return score / total if total else None

    def _rules_of(self, need: WorkloadNeed, workload: int) -> tuple[Rule, ...]:
        if not need.affinities and not need.spreads:
            return ()
        rules = []
        space = need.identity.namespace
        for term in need.affinities:
            watch, here = self._watch(space, term), term.namespaces is None or space in term.namespaces
            matches = here and term.selector.matches(need.labels)
            what = Constraint.ANTI_AFFINITY if term.anti else Constraint.AFFINITY
            rules.append(Rule(what, watch, term.required, matches, max(term.weight, 1)))
        for spread in need.spreads:
            watch = self._watch(space, spread)
            counted = self._spread_domains(spread, watch, need, int(self._groups.admission_of[workload]))
            if spread.hard and len(counted) < spread.least_domains:
                counted = counted[:0]  # the emptiest is one that is not there
            matches, skew = spread.selector.matches(need.labels), max(spread.max_skew, 1)
            rules.append(Rule(Constraint.SPREAD, watch, spread.hard, matches, 1, skew, counted))
        return tuple(rules)

    def _spread_domains(self, spread: TopologySpread, watch: int, need: WorkloadNeed, admission: int) -> Ints:
        key = spread.topology_key, admission, spread.honors_affinity, spread.honors_taints
        found = self._spread_over.get(key)
        if found is None:
            members, counted = self._groups.members, self._groups.eligible[admission]
            if not spread.honors_affinity:
                counted = np.ones(len(members), np.bool_)
            if spread.honors_taints:  # a node that is closed has a taint, which says so
                counted = counted & [n.ready and n.schedulable and not intolerable(need, n) for n in members]
            domains = self.watches.domain(watch)[counted[self._groups.kinds]]
            found = self._spread_over[key] = np.unique(domains[domains >= 0])
        return found

    def _keeping_away(self, namespace: str, affinities: Iterable[PodAffinity]) -> list[int]:
        return [self._watch(namespace, term) for term in affinities if term.anti and term.required]

    def _watch(self, namespace: str, rule: PodAffinity | TopologySpread) -> int:
        """The number of what a rule looks at, of a pod of the namespace."""
        spaces = rule.namespaces if isinstance(rule, PodAffinity) else None
        if spaces is None:  # one object for each
            spaces = self._alone.setdefault(namespace, frozenset((namespace,)))
        return self.watches.number(Watch(rule.topology_key, spaces, rule.selector))

    def _allowed(self, rule: Rule) -> Bools:
        domain, counts = self.watches.domain(rule.watch), self.watches.counts(rule.watch)
        if rule.constraint is Constraint.SPREAD:
            even: Bools = (domain >= 0) & (self._skew(rule) <= rule.skew)
            return even
        if rule.constraint is Constraint.ANTI_AFFINITY:
            alone: Bools = _at(counts, domain) == 0
            return alone
        has: Bools = domain >= 0
        return has if rule.matches and not counts.any() else has & (_at(counts, domain) > 0)

    def _admits(self, rule: Rule, node: int) -> bool:
        counts = self.watches.counts(rule.watch)
        domain = self.watches.domain(rule.watch)
        count = _one(counts, domain, node)
        if rule.constraint is Constraint.ANTI_AFFINITY:
            return count == 0
        if domain[node] < 0:
            return False
        if rule.constraint is Constraint.AFFINITY:
            return count > 0 or (rule.matches and not counts.any())
        return count + int(rule.matches) - self._least(rule) <= rule.skew

    def _breaks(self, rule: Rule, nodes: Ints) -> bool:
        counts, domain = self.watches.counts(rule.watch), self.watches.domain(rule.watch)[nodes]
        others = _at(counts, domain) - int(rule.matches)  # beside the replica itself
        if rule.constraint is Constraint.ANTI_AFFINITY:
            return bool((others > 0).any())
        if (domain < 0).any():
            return True
        if rule.constraint is Constraint.AFFINITY:
            alone = rule.matches and int(counts.sum()) == 1
            return bool((others <= 0).any()) and not alone
        return bool((others + int(rule.matches) - self._least(rule) > rule.skew).any())

    def _least(self, rule: Rule) -> int:
        """In the emptiest domain."""
        counts = self.watches.counts(rule.watch)
        return int(counts[rule.domains].min()) if rule.domains is not None and len(rule.domains) else 0

    def _skew(self, rule: Rule) -> Ints:
        """Of each node's domain, were one replica added there, over the emptiest domain."""
        counts = self.watches.counts(rule.watch)
        skew: Ints = _at(counts, self.watches.domain(rule.watch)) + int(rule.matches) - self._least(rule)
        return skew


def _one(counts: Ints, domain: Ints, node: int) -> int:
    """The count of the node's domain; 0 where it has none."""
    return int(counts[domain[node]]) if domain[node] >= 0 else 0


def _at(counts: Ints, domain: Ints) -> Ints:
    """The count of each node's domain; 0 where it has none."""
    if not len(counts):
        return np.zeros(len(domain), np.int64)
    found: Ints = np.where(domain >= 0, counts[domain], 0)
    return found
