"""Rows for the planner's pool program from how shares of a GPU fit one device: the bound of Gilmore and Gomory (1961).

A device holds a set of shares that add up to at most 1,000 thousandths: a pattern. Prices π of the shares such that no
pattern is worth more than one device give a row Σ π[share] · x ≤ devices that holds for every packing. The best prices
for given amounts are the optimum of a small linear program; its constraints, the patterns, are found by a knapsack.
"""

from collections.abc import Mapping
from math import gcd
from typing import Final

import highspy
import numpy as np

from reconciler.planner.pool_lp import PoolProgram, Row, Solution
from reconciler.planner.states import DEVICE, Classes, Floats, Shapes

ROUNDS: Final = 200  # patterns at most
_SAFE: Final = 1 + 1e-9  # floating point must not cut off a packing


def share_prices(amounts: Mapping[int, float]) -> dict[int, float]:
    """π by share: the prices at which these amounts are worth the most, no pattern being worth more than 1."""
    shares = sorted(share for share, amount in amounts.items() if amount > 0)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    for share in shares:
        solver.addVar(0.0, 1.0)
        solver.changeColCost(solver.getNumCol() - 1, amounts[share])
        pattern = np.array([solver.getNumCol() - 1], np.int32)
        solver.addRow(-highspy.kHighsInf, 1.0, 1, pattern, np.array([float(DEVICE // share)]))
    worth, prices = 1.0, np.zeros(len(shares))
    for _ in range(ROUNDS):
        solver.run()
        prices = np.asarray(solver.getSolution().col_value)
        worth, pattern_counts = _best_pattern(shares, prices)
        if worth <= 1 + 1e-7:
            break
        used = np.flatnonzero(pattern_counts).astype(np.int32)
        solver.addRow(-highspy.kHighsInf, 1.0, len(used), used, pattern_counts[used].astype(np.float64))
    scale = max(worth, 1.0) * _SAFE
    return {share: float(price) / scale for share, price in zip(shares, prices, strict=True)}


def tightened(
    program: PoolProgram, classes: Classes, shapes: Shapes, demand: Floats, value: Floats, rounds: int = 4
) -> Solution:
    """The optimum once rows of patterns that its solution breaks are added, a few rounds long. They stay added.

    First the prices of the whole demand, which bind when all of it is to be placed; then those of each class's flow.
    """
    _add(program, classes, shapes, share_prices(_amounts(shapes, demand)))
    solution = program.solve(demand, value)
    for _ in range(rounds):
        broken = False
        for kind in np.flatnonzero(classes.gpus > 0):
            amounts = _amounts(shapes, solution.flow[:, kind])
            devices = float(program.nodes[kind] * classes.gpus[kind])
            if sum(share * amount for share, amount in amounts.items()) < 0.9 * devices * DEVICE:
                continue
            prices = share_prices(amounts)
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


def _best_pattern(shares: list[int], prices: Floats) -> tuple[float, Floats]:
    """The pattern that is worth most at these prices: an unbounded knapsack."""
    unit = gcd(DEVICE, *shares)
    size = DEVICE // unit
    best, chosen = [0.0] * (size + 1), [-1] * (size + 1)
    items = [(share // unit, float(prices[index]), index) for index, share in enumerate(shares) if prices[index] > 0]
    for room in range(1, size + 1):
        best[room], chosen[room] = best[room - 1], -1
        for weight, price, index in items:
            if weight <= room and best[room - weight] + price > best[room] + 1e-12:
                best[room], chosen[room] = best[room - weight] + price, index
    counts, room = np.zeros(len(shares)), size
    while room > 0:
        if chosen[room] < 0:
            room -= 1
            continue
        counts[chosen[room]] += 1
        room -= shares[chosen[room]] // unit
    return best[size], counts
