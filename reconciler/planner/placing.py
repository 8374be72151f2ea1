"""Placing workloads as a whole: the best node takes as many replicas as may be, then the next.

In the order of priority, then what has the fewest nodes to go to, then the large. A workload that rules bind goes
replica by replica; the others in steps, so that thousands of replicas cost few evaluations.
"""

from collections.abc import Sequence

import numpy as np

from reconciler.model.plan import Decision, Place
from reconciler.planner.ledger import Ledger
from reconciler.planner.scoring import Scorer
from reconciler.planner.states import Ints

STEPS = 16  # in how many steps a workload is placed at most, if nothing else divides it
EXPLAINED = 4  # decisions kept of one workload


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


def _decision(
    ledger: Ledger, scorer: Scorer, workload: int, node: int, score: np.ndarray[tuple[int], np.dtype[np.float64]],
    here: Ints, homes: Ints,
) -> Decision:  # fmt: skip
    """The choice beside the best node in another place; without one, beside the next best node."""
    places = ledger.groups.place_of
    others = np.where(places != places[node], score, -np.inf)
    if not (others > -np.inf).any():
        others = score.copy()
        others[node] = -np.inf
    second = int(others.argmax())
    runner_up = scorer.option(workload, second, here, homes) if others[second] > -np.inf else None
    return Decision(scorer.option(workload, node, here, homes), runner_up)
