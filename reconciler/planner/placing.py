"""Placing workloads as a whole: the best node takes as many replicas as may be, then the next.

In the order of priority, then what has the fewest nodes to go to, then the large. A workload that rules bind goes
replica by replica; the others in steps, so that thousands of replicas cost few evaluations.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reconciler.planner.intake import MOST_REPLICAS
from reconciler.planner.ledger import Ledger
from reconciler.planner.scoring import Noted, Scorer
from reconciler.planner.waves import EXPLAINED, FEWEST, STEPS, Waves


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


class Placer:
    """Places what lacks a place into the book, where it scores best."""

    def __init__(self, ledger: Ledger, scorer: Scorer) -> None:
        self._ledger, self._scorer = ledger, scorer
        self._waves = Waves(ledger, scorer)

    def place(self, workload: int, homeless: Mapping[int, int], most: int = MOST_REPLICAS) -> list[Noted]:
        """Places what the workload still lacks, at most so many, as far as there is room; says why for each new place.

        `homeless` counts, by node, replicas that were there and are not now: going back there is worth its stickiness.
        """
        ledger, scorer = self._ledger, self._scorer
        need, shape = ledger.intake.needs[workload], int(ledger.groups.shape_of[workload])
        missing = min(need.replicas - ledger.count(workload), ledger.quota_left(workload), most)
        noted: list[Noted] = []
        explained = set[int]()
        if missing <= 0 or not ledger.has_room(shape):
            return noted
        homes, places = dict(homeless), ledger.groups.place_of
        gpu, states = int(ledger.groups.shapes.count[shape]) > 0, scorer.weighing(workload).states
        while missing >= FEWEST and not gpu and not homes:
            placed, made = self._waves.place(workload, missing)
            noted += [each for each in made if int(places[each.chosen]) not in explained][:EXPLAINED]
            explained.update(int(places[each.chosen]) for each in made)
            missing -= placed
            if not placed:
                break
        while missing > 0:
            score = scorer.scores(workload, ledger.room(shape), homes)
            mask, pools = ledger.topology.mask(workload), ledger.open_pools(workload)
            if mask is not None:
                score[~mask] = -np.inf
            if pools is not None:
                score[~pools] = -np.inf
            node = int(score.argmax()) if len(score) else 0
            if not len(score) or score[node] == -np.inf:
                break
            where = int(places[node])
            if where not in explained and len(noted) < EXPLAINED:
                explained.add(where)
                noted.append(scorer.note(workload, node, score, homes))
            step = 1
            if mask is None and not ledger.topology.watched(workload):
                room = int(ledger.nodes.states.capacity(shape, ledger.nodes.number[node : node + 1])[0])
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
            missing -= step
        return noted
