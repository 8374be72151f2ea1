"""Many replicas of one workload by one look at the nodes.

Replicas go to queues of nodes in turn, each time to that whose best node scores best less what was put there meanwhile,
and within a queue to nodes from the best downwards, a few each. A queue is the nodes of one pool and zone and, where a
hard spread counts others, of one domain of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from reconciler.model.plan import Constraint
from reconciler.model.planning_policy import TermName
from reconciler.planner.ledger import Ledger
from reconciler.planner.rules import Simple
from reconciler.planner.scoring import Noted, Scorer, excess
from reconciler.planner.shapes import Floats, Ints

STEPS: Final = 16  # in how many steps a workload is placed at most, if nothing else divides it
EXPLAINED: Final = 2  # decisions made of one workload
FEWEST: Final = 8  # replicas from which on a wave is worth its look


@dataclass(frozen=True, slots=True)
class _Queues:
    """All nodes that are in one, queue by queue, and the queue of each; the domain and the zone of each queue."""

    nodes: Ints
    of: Ints
    domains: list[int]
    zones: list[int]


class Waves:
    """Places what no rule binds but the two usual ones (see `Topology.simple`): at most as many in one wave as the
    limit of any pool lets in."""

    def __init__(self, ledger: Ledger, scorer: Scorer) -> None:
        self._ledger, self._scorer = ledger, scorer
        self._known: dict[str, _Queues] = {}  # by the label that is spread over

    def place(self, workload: int, missing: int) -> tuple[int, list[Noted]]:
        """How many were placed, and why there. None where the rules of the workload are not simple, or a limit lets in
        few."""
        ledger, scorer = self._ledger, self._scorer
        rules = ledger.topology.simple(workload)
        missing = min([missing, *filter(None, ledger.limits_left(workload))])
        if rules is None or missing < FEWEST:
            return 0, []
        shape, replicas = int(ledger.groups.shape_of[workload]), ledger.intake.needs[workload].replicas
        score = self._scores(workload, shape)
        queues = self._queues(rules)
        open_ = np.flatnonzero(score[queues.nodes] > -np.inf)
        if not len(open_):
            return 0, []
        nodes = queues.nodes[open_]
        value = score[nodes]
        capacity = ledger.nodes.states.capacity(shape, ledger.nodes.number[nodes])
        room = np.minimum(capacity, 1 if rules.alone else max(1, replicas // STEPS))
        ends = np.searchsorted(queues.of[open_], np.arange(len(queues.domains) + 1))
        some = np.flatnonzero(np.diff(ends))
        best, left = np.full(len(queues.domains), -np.inf), np.zeros(len(queues.domains), np.int64)
        best[some], left[some] = np.maximum.reduceat(value, ends[some]), np.add.reduceat(room, ends[some])
        weight = scorer.weighing(workload)[TermName.SPREAD] / 2
        in_zones, usable = scorer.zones(workload, *ledger.holdings.arrays(workload))
        zones = _Zones(queues.zones, in_zones.tolist(), usable.tolist(), weight)
        wanted = _turns(best.tolist(), left.tolist(), queues.domains, rules, zones, weight / (2 * replicas), missing)
        first = sorted((number for number, count in enumerate(wanted) if count), key=lambda n: (-float(best[n]), n))
        noted: list[Noted] = []
        for number in first:
            rows = slice(int(ends[number]), int(ends[number + 1]))
            chosen, counts = _filled(nodes[rows], value[rows], room[rows], wanted[number])
            if len(noted) < EXPLAINED:  # the others are beside it by now
                now = self._scores(workload, shape) if noted else score
                noted.append(scorer.note(workload, int(chosen[0]), now, {}))
            ledger.enter_many(workload, chosen, counts)
        return sum(wanted), noted

    def _scores(self, workload: int, shape: int) -> Floats:
        """Of each node, minus infinity where one more may not be, but for a spread: that says where the next one may
        be, which is counted while the queues take turns."""
        ledger = self._ledger
        score = self._scorer.scores(workload, ledger.room(shape), {})
        for part in ledger.topology.parts(workload):
            if part.constraint is not Constraint.SPREAD:
                score[~part.nodes] = -np.inf
        if (pools := ledger.open_pools(workload)) is not None:
            score[~pools] = -np.inf
        return score

    def _queues(self, rules: Simple) -> _Queues:
        known = self._known.get(rules.key)
        if known is None:
            place_of = self._ledger.groups.place_of
            domains = np.zeros(len(place_of), np.int64) if rules.domain is None else rules.domain
            keys = place_of * (int(domains.max(initial=0)) + 1) + domains
            inside = np.flatnonzero(domains >= 0)
            _, firsts, of = np.unique(keys[inside], return_index=True, return_inverse=True)
            order, some = np.argsort(of, kind="stable"), inside[firsts]
            zones = self._scorer.zone_of[place_of[some]]
            known = _Queues(inside[order], of[order], domains[some].tolist(), zones.tolist())
            self._known[rules.key] = known
        return known


def _filled(nodes: Ints, score: Floats, room: Ints, count: int) -> tuple[Ints, Ints]:
    """The nodes that take `count` replicas, from the best downwards and the first of equals first; how many each."""
    if len(nodes) > count:  # each takes at least one
        least = np.partition(score, len(nodes) - count)[len(nodes) - count]
        rows = np.flatnonzero(score >= least)
        rows = rows[np.argsort(-score[rows], kind="stable")]
    else:
        rows = np.argsort(-score, kind="stable")
    ends = np.cumsum(room[rows])
    last = int(np.searchsorted(ends, count))
    rows = rows[: last + 1]
    counts = room[rows]
    counts[-1] -= int(ends[last]) - count
    return nodes[rows], counts


class _Zones:
    """The zone `of` each queue, the `counts` of replicas in each, those `usable`, and what an uneven spread costs."""

    def __init__(self, of: list[int], counts: list[int], usable: list[int], weight: float) -> None:
        self._counts, self._usable, self._weight = counts, usable, weight
        self._of = of
        self._queues: list[list[int]] = [[] for _ in counts]
        for queue, zone in enumerate(of):
            self._queues[zone].append(queue)
        self._least = min((counts[zone] for zone in usable), default=0)
        self._priced = [excess(count - self._least) for count in counts]

    def add(self, queue: int, best: list[float]) -> None:
        """One replica more for a queue; what is `best` of each changes with it."""
        changed = self._of[queue]
        self._counts[changed] += 1
        if self._counts[changed] - 1 == self._least:
            self._least = min((self._counts[zone] for zone in self._usable), default=0)
            for zone in range(len(self._counts)):
                self._price(zone, best)
        else:
            self._price(changed, best)

    def _price(self, zone: int, best: list[float]) -> None:
        now = excess(self._counts[zone] - self._least)
        more, self._priced[zone] = self._weight * (now - self._priced[zone]), now
        if more:
            for number in self._queues[zone]:
                best[number] -= more


def _turns(
    best: list[float], left: list[int], domains: list[int], rules: Simple, zones: _Zones, price: float, missing: int
) -> list[int]:
    """How many replicas each queue takes, one after another."""
    counts = {} if rules.count is None else dict(enumerate(rules.count.tolist()))
    counted = [] if rules.counted is None else rules.counted.tolist()
    wanted = [0] * len(best)
    for _ in range(missing):
        least = min((counts[domain] for domain in counted), default=0)
        chosen, highest = -1, -np.inf
        for number, value in enumerate(best):
            if value > highest and left[number] and (not counts or counts[domains[number]] + 1 - least <= rules.skew):
                chosen, highest = number, value
        if chosen < 0:
            break
        wanted[chosen] += 1
        left[chosen] -= 1
        best[chosen] -= price
        zones.add(chosen, best)
        if counts:
            counts[domains[chosen]] += 1
    return wanted
