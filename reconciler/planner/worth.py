"""What placed replicas are worth, and what no plan can exceed."""

from collections.abc import Sequence

import numpy as np

from reconciler.model.planning import WorkloadNeed
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Nodes
from reconciler.planner.pool_lp import PoolProgram
from reconciler.planner.states import DEVICE, Floats

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
    demand, value = np.zeros(len(shapes.request)), np.zeros(len(shapes.request))
    outside = 0.0
    for workload, need in enumerate(ledger.intake.needs):
        shape = int(groups.shape_of[workload])
        elsewhere = sum(
            len(slots)
            for node, slots in ledger.slots[workload].items()
            if not shapes.allowed[groups.kinds[node], shape]
        )
        outside += worth[workload] * elsewhere
        demand[shape] += max(need.replicas - elsewhere, 0)
        value[shape] = worth[workload]
    nodes = np.bincount(groups.kinds, minlength=len(groups.members))
    program = PoolProgram(groups.classes, shapes, nodes, BOUND_LEVELS)
    return program.solve(demand, value, taken=taken).objective + outside


def taken(nodes: Nodes) -> Floats:
    """What is not free, by class: (classes × resources and a last column for GPUs), in nodes and in devices."""
    classes, states = nodes.states.classes, nodes.states
    used = classes.capacity[nodes.kinds] - states.free[nodes.number]
    devices = classes.gpus[nodes.kinds] * DEVICE - states.devices[nodes.number].sum(axis=1)
    rows = np.column_stack([used / np.maximum(classes.capacity[nodes.kinds], 1), devices / DEVICE])
    total = np.zeros((len(classes.gpus), rows.shape[1]))
    np.add.at(total, nodes.kinds, rows)
    return total
