"""Placing workloads as a whole: the best node takes as many replicas as may be, then the next.

In the order of priority, then what has the fewest nodes to go to, then the large. A workload that rules bind goes
replica by replica; the others in steps, so that thousands of replicas cost few evaluations.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reconciler.model.plan import Constraint, Decision, Place
from reconciler.model.planning_policy import TermName
from reconciler.planner.intake import MOST_REPLICAS
from reconciler.planner.ledger import Ledger
from reconciler.planner.rules import Simple
from reconciler.planner.scoring import Scorer, excess
from reconciler.planner.shapes import Floats, Ints

STEPS = 16  # in how many steps a workload is placed at most, if nothing else divides it
EXPLAINED = 2  # decisions made of one workload
MANY = 8  # from so many missing replicas on, a workload is placed in waves


def order(ledger: Ledger, workloads: Iterable[int], sizes: Sequence[float]) -> list[int]:
    """Of some workloads, the order in which they are placed."""
    needs, groups = ledger.intake.needs, ledger.groups
    per_kind = np.bincount(groups.kinds, minlength=len(groups.members))
    choice = per_kind @ groups.shapes.allowed
    return sorted(
        workloads,
        key=lambda workload: (
            -needs[workload].priority,
            not ledger.topology.constrained(workload),
            int(choice[groups.shape_of[workload]]),
            -float(sizes[int(groups.shape_of[workload])]),
            needs[workload].identity,
        ),
    )


def place(
    ledger: Ledger, scorer: Scorer, workload: int, homeless: Mapping[int, int], most: int = MOST_REPLICAS
) -> list[Decision]:
    """Places what the workload still lacks, at most so many, as far as there is room; says why for each new place.

    `homeless` counts, by node, replicas that were there and are not now: going back there is worth its stickiness.
    """
    need, shape = ledger.intake.needs[workload], int(ledger.groups.shape_of[workload])
    missing = min(need.replicas - ledger.count(workload), ledger.quota_left(workload), most)
    decisions: list[Decision] = []
    explained: set[Place] = set()
    if missing <= 0 or not ledger.room(shape).any():
        return decisions
    here, homes = ledger.on_nodes(workload), dict(homeless)
    gpu, states = int(ledger.groups.shapes.count[shape]) > 0, scorer.weighing(workload).states
    while missing >= MANY and not gpu and not homes:
        placed, made = wave(ledger, scorer, workload, missing, here)
        decisions += [decision for decision in made if decision.chosen.place not in explained][:EXPLAINED]
        explained.update(decision.chosen.place for decision in made)
        missing -= placed
        if not placed:
            break
    while missing > 0:
        score = scorer.scores(workload, ledger.room(shape), here, homes)
        mask, pools = ledger.topology.mask(workload), ledger.open_pools(workload)
        if mask is not None:
            score[~mask] = -np.inf
        if pools is not None:
            score[~pools] = -np.inf
        node = int(score.argmax()) if len(score) else 0
        if not len(score) or score[node] == -np.inf:
            break
        where = scorer.place(node)
        if where not in explained and len(decisions) < EXPLAINED:
            explained.add(where)
            decisions.append(_decision(ledger, scorer, workload, node, score, here, homes))
        step = 1
        if mask is None and not ledger.topology.watched(workload):
            room = int(ledger.nodes.states.capacity(shape, ledger.nodes.number[node : node + 1].astype(np.int64))[0])
            most = max(1, need.replicas // STEPS)
            step = max(min(missing, room, most, ledger.limit_left(workload, node)), 1)
        if homes.get(node):
            step = min(step, homes[node])
            homes[node] -= step
        if gpu:
            for _ in range(step):
                ledger.enter(workload, ledger.nodes.put(shape, node, states), held=True)
        else:
            ledger.enter_many(workload, np.array([node]), np.array([step]))
        here[node] += step
        missing -= step
    return decisions


def wave(ledger: Ledger, scorer: Scorer, workload: int, missing: int, here: Ints) -> tuple[int, list[Decision]]:
    """Places many replicas by one look at the nodes: how many, and why there. None where its rules are not simple.

    Replicas go to places in turn, each time to that whose best node scores best less what was put there meanwhile, and
    within a place to nodes from the best downwards, a few each.
    """
    rules, limited = ledger.topology.simple(workload), ledger.open_pools(workload) is not None
    if rules is None or limited:
        return 0, []
    shape = int(ledger.groups.shape_of[workload])
    replicas = ledger.intake.needs[workload].replicas
    score = scorer.scores(workload, ledger.room(shape), here, {})
    for part in ledger.topology.parts(workload):
        if part.constraint is not Constraint.SPREAD:  # which says where the next one may be: its counts are kept below
            score[~part.nodes] = -np.inf
    queues = _queues(ledger, rules.key, rules.domain)
    best = np.array([score[nodes].max() for _, nodes in queues])
    most = 1 if rules.alone else max(1, replicas // STEPS)
    rooms = [_rooms(ledger, shape, nodes, score, most) for _, nodes in queues]
    left = [int(room.sum()) for room in rooms]
    domains = [domain for domain, _ in queues]
    zone_of = [int(scorer.zone_of[ledger.groups.place_of[nodes[0]]]) for _, nodes in queues]
    in_zones, usable = scorer.zones(workload, here)
    weight = scorer.weighing(workload)[TermName.SPREAD] / 2
    zones = _Zones(zone_of, in_zones.tolist(), usable.tolist(), weight)
    wanted = _turns(best.tolist(), left, domains, rules, zones, weight / (2 * replicas), missing)
    first = sorted((number for number, count in enumerate(wanted) if count), key=lambda n: (-float(best[n]), n))
    decisions: list[Decision] = []
    for number in first:
        nodes, room, count = queues[number][1], rooms[number], wanted[number]
        order = _best(score[nodes], room, count)
        ends = np.cumsum(room[order])
        last = int(np.searchsorted(ends, count))
        nodes, counts = nodes[order[: last + 1]], room[order[: last + 1]]
        counts[-1] -= int(ends[last]) - count
        if len(decisions) < EXPLAINED:
            now = (
                scorer.scores(workload, ledger.room(shape), here, {}) if decisions else score
            )  # the others are beside it by now
            decisions.append(_decision(ledger, scorer, workload, int(nodes[0]), now, here, {}))
        ledger.enter_many(workload, nodes, counts)
        here[nodes] += counts
    return sum(wanted), decisions


def _rooms(ledger: Ledger, shape: int, nodes: Ints, score: Floats, most: int) -> Ints:
    """How many replicas each of the nodes takes, up to `most`."""
    room = np.zeros(len(nodes), np.int64)
    open_ = np.flatnonzero(score[nodes] > -np.inf)
    if not len(open_):
        return room
    capacity = ledger.nodes.states.capacity(shape, ledger.nodes.number[nodes[open_]].astype(np.int64))
    room[open_] = np.minimum(capacity, most)
    return room


def _best(score: Floats, room: Ints, count: int) -> Ints:
    """Nodes from the best downwards, the first of equals first: at least as many as take `count` replicas."""
    open_ = np.flatnonzero(room)
    if len(open_) > count:  # each takes at least one
        least = np.partition(score[open_], len(open_) - count)[len(open_) - count]
        open_ = open_[score[open_] >= least]
    order: Ints = open_[np.argsort(-score[open_], kind="stable")]
    return order


def _queues(ledger: Ledger, key: str, domain: Ints | None) -> list[tuple[int, Ints]]:
    """The nodes of each place and domain of the spread, with that domain."""
    known = ledger.queues.get(key)
    if known is None:
        place_of = ledger.groups.place_of
        domains = np.zeros(len(place_of), np.int64) if domain is None else domain
        keys = place_of * (int(domains.max(initial=0)) + 1) + domains
        keys[domains < 0] = -1
        order = np.argsort(keys, kind="stable")
        firsts = np.unique(keys[order], return_index=True)[1]
        known = [
            (int(domains[nodes[0]]), nodes)
            for nodes in np.split(order, firsts[1:])
            if len(nodes) and keys[nodes[0]] >= 0
        ]
        ledger.queues[key] = known
    return known


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


def _decision(
    ledger: Ledger, scorer: Scorer, workload: int, node: int, score: Floats,
    here: Ints, homes: Mapping[int, int],
) -> Decision:  # fmt: skip
    """The choice beside the best node in another place; without one, beside the next best node."""
    places = ledger.groups.place_of
    others = np.where(places != places[node], score, -np.inf)
    if not (others > -np.inf).any():
        others = score.copy()
        others[node] = -np.inf
    second = int(others.argmax())
    if others[second] == -np.inf:
        return Decision(scorer.options(workload, [node], here, homes)[0], None)
    chosen, runner_up = scorer.options(workload, [node, second], here, homes)
    # In a wave the places take turns, so that another may look better again; it is no runner-up then.
    return Decision(chosen, runner_up if runner_up.score <= chosen.score else None)
