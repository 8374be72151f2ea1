"""Placing workloads as a whole: the best node takes as many replicas as may be, then the next.

In the order of priority, then what has the fewest nodes to go to, then the large. A workload that rules bind goes
replica by replica; the others in steps, so that thousands of replicas cost few evaluations.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from reconciler.model.plan import Constraint, Decision, Place
from reconciler.planner.ledger import Ledger
from reconciler.planner.scoring import Scorer
from reconciler.planner.states import Floats, Ints
from reconciler.planner.topology import Simple

STEPS = 16  # in how many steps a workload is placed at most, if nothing else divides it
EXPLAINED = 2  # decisions made of one workload
MANY = 8  # from so many missing replicas on, a workload is placed in waves


def order(ledger: Ledger, sizes: Sequence[float]) -> list[int]:
    """Workloads in the order in which they are placed."""
    needs, groups = ledger.intake.needs, ledger.groups
    per_kind = np.bincount(groups.kinds, minlength=len(groups.members))
    choice = per_kind @ groups.shapes.allowed
    return sorted(
        range(len(needs)),
        key=lambda workload: (
            -needs[workload].priority,
            not ledger.topology.constrained(workload),
            int(choice[groups.shape_of[workload]]),
            -float(sizes[int(groups.shape_of[workload])]),
            needs[workload].identity,
        ),
    )


def place(ledger: Ledger, scorer: Scorer, workload: int, homes: Ints) -> list[Decision]:
    """Places what the workload still lacks, as far as there is room; says why for each new place.

    `homes` counts, by node, replicas that were there and are not now: going back there is worth its stickiness.
    """
    need, shape = ledger.intake.needs[workload], int(ledger.groups.shape_of[workload])
    missing = min(need.replicas - ledger.count(workload), ledger.quota_left(workload))
    decisions: list[Decision] = []
    explained: set[Place] = set()
    here = ledger.on_nodes(workload)
    gpu = int(ledger.groups.shapes.count[shape]) > 0
    while missing >= MANY and not gpu and not homes.any():
        placed, made = wave(ledger, scorer, workload, missing, here, homes)
        decisions += [decision for decision in made if decision.chosen.place not in explained][:EXPLAINED]
        explained.update(decision.chosen.place for decision in made)
        missing -= placed
        if not placed:
            break
    while missing > 0:
        score = scorer.scores(workload, here, homes)
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
        if homes[node] > 0:
            step = min(step, int(homes[node]))
        if gpu:
            for _ in range(step):
                ledger.enter(workload, ledger.nodes.put(shape, node), held=True)
        else:
            ledger.enter_many(workload, node, step)
        here[node] += step
        homes[node] = max(homes[node] - step, 0)
        missing -= step
    return decisions


def wave(
    ledger: Ledger, scorer: Scorer, workload: int, missing: int, here: Ints, homes: Ints
) -> tuple[int, list[Decision]]:
    """Places many replicas by one look at the nodes: how many, and why there. None where its rules are not simple.

    Replicas go to places in turn, each time to that whose best node scores best less what was put there meanwhile, and
    within a place to nodes from the best downwards, a few each.
    """
    rules, limited = ledger.topology.simple(workload), ledger.open_pools(workload) is not None
    if rules is None or limited:
        return 0, []
    shape, groups = int(ledger.groups.shape_of[workload]), ledger.groups
    replicas = ledger.intake.needs[workload].replicas
    score = scorer.scores(workload, here, homes)
    states, inverse = np.unique(ledger.nodes.number, return_inverse=True)
    room = np.minimum(
        ledger.nodes.states.capacity(shape, states.astype(np.int64))[inverse.reshape(-1)],
        1 if rules.alone else max(1, replicas // STEPS),
    )
    room[score == -np.inf] = 0
    for constraint, part in ledger.topology.parts(workload):
        if constraint is not Constraint.SPREAD:  # that says only where the next one may be: its counts are kept below
            room[~part] = 0
    if rules.domain is not None:
        room[rules.domain < 0] = 0
    order = np.flatnonzero(room > 0)
    order = order[np.argsort(-score[order], kind="stable")]
    if not len(order):
        return 0, []
    queues = _queues(groups.place_of[order], order, rules.domain)
    left = {key: int(room[nodes].sum()) for key, nodes in queues.items()}
    wanted = _turns(queues, left, score, rules, scorer.spread_weight() / (2 * replicas), missing)
    first = sorted(wanted, key=lambda key: (-float(score[queues[key][0]]), key))
    decisions: list[Decision] = []
    for key in first:
        nodes = queues[key]
        if len(decisions) < EXPLAINED:
            now = scorer.scores(workload, here, homes) if decisions else score  # the others are beside it by now
            decisions.append(_decision(ledger, scorer, workload, int(nodes[0]), now, here, homes))
        ends = np.cumsum(room[nodes])
        last = int(np.searchsorted(ends, wanted[key]))
        counts = room[nodes[: last + 1]].copy()
        counts[-1] -= int(ends[last]) - wanted[key]
        for node, count in zip(nodes[: last + 1].tolist(), counts.tolist(), strict=True):
            ledger.enter_many(workload, node, count)
            here[node] += count
    return sum(wanted.values()), decisions


def _queues(place_of: Ints, order: Ints, domain: Ints | None) -> dict[tuple[int, int], Ints]:
    """The nodes by place and domain of the spread, each from the best downwards."""
    domains = np.zeros(len(order), np.int64) if domain is None else domain[order]
    keys = place_of * (int(domains.max()) + 1) + domains
    queues = {}
    for key in np.unique(keys).tolist():
        nodes = order[keys == key]
        queues[(int(place_of[keys == key][0]), int(domains[keys == key][0]))] = nodes
    return queues


def _turns(
    queues: Mapping[tuple[int, int], Ints],
    left: dict[tuple[int, int], int],
    score: Floats,
    rules: Simple,
    price: float,
    missing: int,
) -> dict[tuple[int, int], int]:
    """How many replicas each queue takes, one after another."""
    best = {key: float(score[nodes[0]]) for key, nodes in queues.items()}
    counts = {} if rules.count is None else dict(enumerate(rules.count.tolist()))
    counted = [] if rules.counted is None else rules.counted.tolist()
    wanted: dict[tuple[int, int], int] = {}
    keys = sorted(queues)
    for _ in range(missing):
        least = min((counts[domain] for domain in counted), default=0)
        chosen, highest = None, -np.inf
        for key in keys:
            if left[key] and best[key] > highest and (not counts or counts[key[1]] + 1 - least <= rules.skew):
                chosen, highest = key, best[key]
        if chosen is None:
            break
        wanted[chosen] = wanted.get(chosen, 0) + 1
        left[chosen] -= 1
        best[chosen] -= price
        if counts:
            counts[chosen[1]] += 1
    return wanted


def _decision(
    ledger: Ledger, scorer: Scorer, workload: int, node: int, score: Floats,
    here: Ints, homes: Ints,
) -> Decision:  # fmt: skip
    """The choice beside the best node in another place; without one, beside the next best node."""
    places = ledger.groups.place_of
    others = np.where(places != places[node], score, -np.inf)
    if not (others > -np.inf).any():
        others = score.copy()
        others[node] = -np.inf
    second = int(others.argmax())
    chosen = scorer.option(workload, node, here, homes)
    if others[second] == -np.inf:
        return Decision(chosen, None)
    runner_up = scorer.option(workload, second, here, homes)
    # In a wave the places take turns, so that another may look better again; it is no runner-up then.
    return Decision(chosen, runner_up if runner_up.score <= chosen.score else None)
