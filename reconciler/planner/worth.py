"""What placed replicas are worth, and what no plan can exceed."""

from collections.abc import Sequence

import numpy as np

from reconciler.model.planning import WorkloadNeed
from reconciler.planner.grouping import Groups
from reconciler.planner.ledger import Ledger
from reconciler.planner.pool_lp import PoolProgram, merged
from reconciler.planner.shapes import DEVICE, Floats, Ints

STEP = 10.0  # how many times as much one replica of a priority is worth as one of the next lower
MOST_STEPS = 6
BOUND_LEVELS = range(1, 5)


def weights(needs: Sequence[WorkloadNeed]) -> list[float]:
    """Of one replica of each workload: 1 for the lowest priority that is there, ten times as much for each next one.

    Beyond six steps priorities are worth the same here; the order of placing still tells them apart.
    """
    ranks = {priority: rank for rank, priority in enumerate(sorted({need.priority for need in needs}))}
    lowest = max(len(ranks) - 1 - MOST_STEPS, 0)
    return [STEP ** max(ranks[need.priority] - lowest, 0) for need in needs]


def bound(ledger: Ledger, taken: Floats, worth: Sequence[float]) -> float:
    """The optimum of the pool program over what is open, and what stays on nodes that take nothing new.

    Rules among replicas, limits and quotas are left out, so it is never too low.
    """
    groups = ledger.groups
    shapes = groups.shapes
    value = np.zeros(len(shapes.request))
    value[groups.shape_of] = worth
    elsewhere = (ledger.placed * ~shapes.allowed).sum(axis=0)
    demand = ledger.demand - elsewhere
    alike = merged(groups.classes, shapes, groups.kinds)
    program = PoolProgram(alike.classes, alike.shapes, alike.nodes, BOUND_LEVELS, once=True)
    return program.solve(demand, value, taken=alike.sums(taken)).objective + float(elsewhere @ value)


def taken(groups: Groups, free: Ints, devices: Sequence[Sequence[int]]) -> Floats:
    """What others have, by class: (classes × resources and a last column for GPUs), in nodes and in devices. `free`
    (nodes × resources) and `devices`, by node, are what they leave."""
    classes, kinds = groups.classes, groups.kinds
    used = (classes.capacity[kinds] - free).astype(np.float64)
    gpus = np.zeros(len(kinds))
    for node in np.flatnonzero(classes.gpus[kinds]).tolist():
        gpus[node] = DEVICE * len(devices[node]) - sum(devices[node])
    rows = np.column_stack([used, gpus])
    # Sums of whole numbers below 2^53, so that their order does not matter; divided only then.
    total = np.column_stack([np.bincount(kinds, column, len(classes.gpus)) for column in rows.T])
    shares: Floats = total / np.column_stack([np.maximum(classes.capacity, 1), np.full(len(classes.gpus), DEVICE)])
    return shares
