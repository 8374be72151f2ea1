"""Nodes as they fill, and what is scarce: the score of a node is that of its state (see `states`) plus what its class
costs a shape, above all scarcity, the reduced cost of the pool program for the demand that is expected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reconciler.planner.pool_lp import PoolProgram, fitting
from reconciler.planner.shapes import DEVICE, Classes, Floats, Ints, Shapes
from reconciler.planner.states import States, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILLED: Final = 0.9  # of the free room can be filled; the rest is lost between replicas
STRESS: Final = 0.8  # how much more may come of what can go to hardly any class, as a share of it
INERTIA: Final = 0.8  # of the prices before, against noise in few arrivals
STEP: Final = 40  # thousandths of a device


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a replica is: its node, and the devices that it holds as a set of bits."""

    node: int
    devices: int


class Nodes:
    """The nodes' states, once they are settled, and the devices of each, which states do not tell apart."""

    def __init__(self, states: States, kinds: Ints) -> None:
        self.states, self.kinds = states, kinds
        nothing: list[int] = []  # shared: it cannot change, and there may be thousands
        gpus = states.classes.gpus[kinds].tolist()
        self.devices: list[list[int]] = [[DEVICE] * count if count else nothing for count in gpus]
        self.number: NDArray[np.int32] = np.zeros(len(kinds), np.int32)

    def settle(self, free: Ints) -> None:
        """So much is free of each node's resources (nodes × resources), beside what its devices say."""
        devices = np.zeros((len(self.kinds), self.states.width), np.int64)
        for node in np.flatnonzero(self.states.classes.gpus[self.kinds]).tolist():
            devices[node, : len(self.devices[node])] = sorted(self.devices[node], reverse=True)
        self.number = self.states.numbers(self.kinds, free, devices)

    @property
    def free(self) -> Ints:
        """What is free of each node's resources (nodes × resources)."""
        free: Ints = self.states.free[self.number]
        return free

    def with_free(self, milli: int) -> Ints:
        """How many devices of each node have so much free."""
        enough: Ints = (self.states.devices >= milli).sum(axis=1)[self.number]
        return enough

    def put(self, shape: int, node: int, weights: Weights | None = None) -> Slot:
        """One replica onto a node where it fits, on the devices that score best by `weights` (see `States.score`). No
        score may be asked-for stale."""
        count, milli = int(self.states.shapes.count[shape]), int(self.states.shapes.milli[shape])
        devices, chosen = self.devices[node], []
        if count == 1:
            self.states.score(shape, self.number[node : node + 1], weights)
            level = self.states.level(shape, int(self.number[node]), weights)
            chosen = [devices.index(level)]
        elif count > 1:
            enough = [number for number, free in enumerate(devices) if free >= milli]
            chosen = sorted(enough, key=lambda number: devices[number])[:count]
        slot = Slot(node, sum(1 << number for number in chosen))
        self.hold(shape, slot)
        return slot

    def hold(self, shape: int, slot: Slot) -> None:
        """A replica onto exactly these devices."""
        self._change(shape, slot, -1)

    def free_again(self, shape: int, slot: Slot) -> None:
        """Take a replica away again."""
        self._change(shape, slot, 1)

    def fill(self, shape: int, nodes: Ints, counts: Ints) -> None:
        """Several replicas that use no GPU onto each of some nodes, at once; fewer where a count is negative."""
        rows = self.number[nodes]
        left = self.states.free[rows] - counts[:, None] * self.states.shapes.request[shape]
        self.number[nodes] = self.states.numbers(self.kinds[nodes], left, self.states.devices[rows])

    def reserve(self, node: int, devices: Sequence[int], milli: int) -> None:
        """Shares of devices that somebody else has, before the nodes are settled: never less than nothing is left. A
        device that is no longer there is nobody's."""
        free = self.devices[node]
        for device in devices:
            if 0 <= device < len(free):
                free[device] = max(free[device] - milli, 0)

    def emptiest(self, node: int, count: int, milli: int) -> list[int]:
        """Devices that somebody else's pod most likely has: those with the most free."""
        free = self.devices[node]
        return sorted(range(len(free)), key=lambda device: (-free[device], device))[: count if milli else 0]

    def room(self) -> float:
        """What is free, in sizes (see `sizes`)."""
        classes = self.states.classes
        if classes.gpus.any() and self.states.shapes.count.any():
            return float(self.states.devices[self.number].sum())
        peak = max(int(classes.capacity[:, 0].max(initial=0)), 1)
        return float(DEVICE * self.states.free[self.number][:, 0].sum() / peak)

    def _change(self, shape: int, slot: Slot, sign: int) -> None:
        devices = self.devices[slot.node]
        milli = int(self.states.shapes.milli[shape])
        for device in range(len(devices)):
            if slot.devices >> device & 1:
                devices[device] += sign * milli
        left = self.states.free[self.number[slot.node]] + sign * self.states.shapes.request[shape]
        self.number[slot.node] = self.states.number(int(self.kinds[slot.node]), left, devices)


class Scarcity:
    """What filling a class with a shape takes from those who can go nowhere else: (shapes × classes), in [0, 1]."""

    def __init__(self, classes: Classes, shapes: Shapes, nodes: Ints, *, once: bool = False) -> None:
        """`nodes` is how many there are of each class; `once`: it is asked once."""
        self._shapes, self._classes = shapes, classes
        self._size = sizes(classes, shapes)
        self._program = PoolProgram(classes, shapes, nodes, levels=(), once=once)
        gpus = bool(shapes.count.any() and classes.gpus.any())
        room = (classes.gpus if gpus else classes.capacity[:, 0]) * nodes
        self._fitting = fitting(classes, shapes)
        self._flexible = self._fitting @ (room / max(float(room.sum()), 1.0))
        self.loss = np.zeros((len(shapes.request), len(nodes)))
        self._first = True

    @property
    def matters(self) -> bool:
        """Whether some shape has another choice of classes than some other: else nothing is scarcer for one of them."""
        return bool((self._fitting != self._fitting[:1]).any())

    def expect(self, demand: Floats, room: float, placed: Floats) -> None:
        """Prices for this mix of shapes, scaled to what fits `room` (in sizes), beside what is `placed` already."""
        total = float(demand @ self._size)
        if total <= 0:
            return
        scaled = demand * (FILLED * room / total) * (1 + STRESS * (1 - self._flexible))
        reduced = self._program.solve(scaled, self._size, placed).reduced
        loss = reduced / (DEVICE * np.maximum(self._shapes.count, 1))[:, None]
        self.loss = loss if self._first else INERTIA * self.loss + (1 - INERTIA) * loss
        self._first = False

    def term(self) -> Floats:
        """1 where nothing is lost; in steps, since a price of a few thousandths is noise."""
        steps = np.floor(self.loss * DEVICE / STEP + 0.5) * STEP / DEVICE
        term: Floats = np.clip(1 - steps, 0, 1)
        return term


def sizes(classes: Classes, shapes: Shapes) -> Floats:
    """How much of what counts one replica takes: GPU thousandths and, far behind, cores; without GPUs anywhere the
    largest share of the largest node, in thousandths."""
    if classes.gpus.any() and shapes.count.any():
        size: Floats = shapes.gpu + shapes.request[:, 0] / 1000
        return size
    peak = np.maximum(classes.capacity.max(axis=0, initial=0), 1)
    share: Floats = DEVICE * (shapes.request / peak).max(axis=1, initial=0)
    return share
