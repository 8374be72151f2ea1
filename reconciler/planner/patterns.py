"""How shares of a GPU fit one device, by Gilmore and Gomory (1961): what a share is worth, and what room for it is.

A device holds a set of shares that add up to at most all of it: a pattern. The prices of the shares are the
highest at which no pattern is worth more than one device: the optimum of a small linear program, whose constraints, the
patterns, are found by a knapsack. Room on a device is worth the best pattern that fits it.
"""

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDS: Final = 200  # patterns at most
_ALIKE: Final = 1e-12  # worth the same, but for floating point
_SAFE: Final = 1 + 1e-9  # floating point must not cut off a packing


def share_prices(amounts: Mapping[int, float], device: int) -> dict[int, float]:
    """By share of a `device`: prices at which these amounts are worth the most, but no pattern more than 1."""
    shares = sorted(share for share, amount in amounts.items() if amount > 0)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    for share in shares:
        solver.addVar(0.0, 1.0)
        solver.changeColCost(solver.getNumCol() - 1, amounts[share])
        pattern = np.array([solver.getNumCol() - 1], np.int32)
        solver.addRow(-highspy.kHighsInf, 1.0, 1, pattern, np.array([float(device // share)]))
    worth, prices = 1.0, np.zeros(len(shares))
    for _ in range(ROUNDS):
        solver.run()
        prices = np.asarray(solver.getSolution().col_value)
        worth, pattern_counts = _best_pattern(shares, prices, device)
        if worth <= 1 + 1e-7:
            break
        used = np.flatnonzero(pattern_counts).astype(np.int32)
        solver.addRow(-highspy.kHighsInf, 1.0, len(used), used, pattern_counts[used].astype(np.float64))
    scale = max(worth, 1.0) * _SAFE
    return {share: float(price) / scale for share, price in zip(shares, prices, strict=True)}


def room_worth(amounts: Mapping[int, float], device: int, step: int) -> Floats:
    """What 0, 1, 2 … steps of room on one device are worth, in devices, where shares of it come in these amounts.

    Shares are taken as whole steps, rounded up; so many make the device.
    """
    rounded: dict[int, float] = {}
    for share, amount in amounts.items():
        rounded[-(-share // step) * step] = rounded.get(-(-share // step) * step, 0.0) + amount
    prices = share_prices(rounded, device)
    items = [(share // step, price) for share, price in sorted(prices.items()) if price > 0]
    return np.array(_packed(items, device // step)[0])


def _best_pattern(shares: list[int], prices: Floats, device: int) -> tuple[float, Floats]:
    """The pattern that is worth most at these prices."""
    unit = gcd(device, *shares)
    size = device // unit
    items = [(share // unit, float(price)) for share, price in zip(shares, prices, strict=True)]
    best, last = _packed(items, size, _ALIKE)
    counts, room = np.zeros(len(shares)), size
    while room > 0:
        if (item := last[room]) < 0:
            room -= 1
        else:
            counts[item] += 1
            room -= items[item][0]
    return best[size], counts


def _packed(items: Sequence[tuple[int, float]], size: int, alike: float = 0.0) -> tuple[list[float], list[int]]:
    """An unbounded knapsack: what room of 0 to `size` is worth for items of a size and a price, and which of them comes
    last into it, -1 where it is worth no more than less room. Of what differs by at most `alike` the first is taken."""
    best, last = [0.0] * (size + 1), [-1] * (size + 1)
    for room in range(1, size + 1):
        most, which = best[room - 1], -1
        for item, (weight, price) in enumerate(items):
            if weight <= room and best[room - weight] + price > most + alike:
                most, which = best[room - weight] + price, item
        best[room], last[room] = most, which
    return best, last
