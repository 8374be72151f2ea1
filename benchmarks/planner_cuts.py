"""Rows for the planner's pool program from how shares of a GPU fit one device.

Prices π of the shares such that no set of shares that fits is worth more than one device (`planner.patterns`) give a
row Σ π[share] · x ≤ devices that holds for every packing.
"""

from collections.abc import Mapping

import numpy as np

from reconciler.planner.patterns import share_prices
from reconciler.planner.pool_lp import PoolProgram, Row, Solution
from reconciler.planner.shapes import DEVICE, Classes, Floats, Shapes


def tightened(
    program: PoolProgram, classes: Classes, shapes: Shapes, demand: Floats, value: Floats, rounds: int = 4
) -> Solution:
    """The optimum once rows of patterns that its solution breaks are added, a few rounds long. They stay added.

    First the prices of the whole demand, which bind when all of it is to be placed; then those of each class's flow.
    """
    _add(program, classes, shapes, share_prices(_amounts(shapes, demand), DEVICE))
    solution = program.solve(demand, value)
    for _ in range(rounds):
        broken = False
        for kind in np.flatnonzero(classes.gpus > 0):
            amounts = _amounts(shapes, solution.flow[:, kind])
            devices = float(program.nodes[kind] * classes.gpus[kind])
            if sum(share * amount for share, amount in amounts.items()) < 0.9 * devices * DEVICE:
                continue
            prices = share_prices(amounts, DEVICE)
            if sum(prices[share] * amount for share, amount in amounts.items()) > devices * (1 + 1e-4):
                _add(program, classes, shapes, prices)
                broken = True
        if not broken:
            break
        solution = program.solve(demand, value)
    return solution


def _amounts(shapes: Shapes, replicas: Floats) -> dict[int, float]:
    """Devices asked for, by the share of each."""
    amounts: dict[int, float] = {}
    for shape in np.flatnonzero((replicas > 1e-7) & (shapes.count > 0)):
        share = int(shapes.milli[shape])
        amounts[share] = amounts.get(share, 0.0) + float(replicas[shape] * shapes.count[shape])
    return amounts


def _add(program: PoolProgram, classes: Classes, shapes: Shapes, prices: Mapping[int, float]) -> None:
    """A row of these prices for every class: a device of one is as large as a device of another."""
    priced = shapes.count * np.array([prices.get(int(share), 0.0) for share in shapes.milli])
    for kind in np.flatnonzero(classes.gpus > 0):
        program.add(Row(int(kind), priced, float(classes.gpus[kind])))
