"""How much free GPU is of no use, measured against replicas that may yet come.

After "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent" (USENIX ATC
2023), with one change that measured better: a demand is only counted on nodes whose class it may use. All sums are of
whole numbers below 2^53, so that floating point never rounds them and their order does not matter.

That counts any use of free room as a full one: half a device is as good for a share of 0.32 as for one of 0.47, though
after the first nothing else fits. So what the room on a device is worth (see `patterns`) must not go down either.
"""

from typing import Final

import numpy as np

from reconciler.planner.patterns import room_worth
from reconciler.planner.shapes import DEVICE, Floats, Ints, Shapes

STEP: Final = 10  # thousandths in which room on a device is valued


class Fragmentation:
    """Measured against as many replicas of each shape as `demand` says."""

    def __init__(self, shapes: Shapes, demand: Ints) -> None:
        rows = np.flatnonzero((demand > 0) & (shapes.count > 0))
        kinds, kind = np.unique(np.stack([shapes.count[rows], shapes.milli[rows]], axis=1), axis=0, return_inverse=True)
        self._needs = shapes.request[rows]
        self._may = shapes.allowed[:, rows]
        self._count, self._milli = kinds[:, 0], kinds[:, 1]
        self._share = np.zeros((len(rows), len(kinds)))
        self._share[np.arange(len(rows)), kind.reshape(-1)] = demand[rows]
        amounts: dict[int, float] = {}
        for row in rows:
            share = int(shapes.milli[row])
            amounts[share] = amounts.get(share, 0.0) + float(demand[row] * shapes.count[row])
        shared = any(share < DEVICE for share in amounts)
        self._worth: Floats = room_worth(amounts, DEVICE, STEP) if shared else np.zeros(DEVICE // STEP + 1)
        self._mass: Floats = np.maximum(self._may @ demand[rows].astype(np.float64), 1.0)

    def lost(self, free: Ints, devices: Ints, kind: Ints) -> Floats:
        """Free thousandths that an average demand of this class cannot use, for nodes that look like this."""
        total: Floats = devices.sum(axis=1).astype(np.float64)
        if not len(self._needs) or not len(free):
            return total
        runs = (free[:, None, :] >= self._needs[None]).all(axis=2) & self._may[kind]
        demand = runs.astype(np.float64) @ self._share
        enough = devices[:, None, :] >= self._milli[None, :, None]
        usable = np.where(enough.sum(axis=2) >= self._count, (enough * devices[:, None, :]).sum(axis=2), 0)
        lost: Floats = total - (demand * usable).sum(axis=1) / self._mass[kind]
        return lost

    def wasted(self, level: Ints, milli: int) -> Floats:
        """What devices with so much free lose beyond the share itself, where one of `milli` comes: in devices."""
        rest = (level - milli) // STEP
        wasted: Floats = self._worth[level // STEP] - self._worth[rest] - self._worth[-(-milli // STEP)]
        return wasted
