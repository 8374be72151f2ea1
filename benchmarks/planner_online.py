"""One replica after another into the best node there is, without knowledge of those to come.

Scarcity is solved anew each time that a two-hundredth of the room was filled: what is scarce changes as nodes fill.
"""

from typing import Final

import numpy as np

from reconciler.planner.packing import Nodes, Scarcity, Slot, sizes
from reconciler.planner.shapes import Classes, Floats, Ints, Shapes
from reconciler.planner.states import States, Weights

REFRESH: Final = 0.005  # of the room


class Packer:
    """Places replicas as they come. What is expected to come is told by `expect`, or learned from what came."""

    def __init__(self, classes: Classes, shapes: Shapes, kinds: Ints, weights: Weights, scarcity: float) -> None:
        self.states = States(classes, shapes, weights)
        self.nodes = Nodes(self.states, kinds)
        self.nodes.settle(classes.capacity[kinds])
        self.scarcity = Scarcity(classes, shapes, np.bincount(kinds, minlength=len(classes.gpus)))
        self._weight = scarcity
        self._size = sizes(classes, shapes)
        self._room = self.nodes.room()
        self._left = self._room
        self._next = self._room
        self._placed = np.zeros((len(classes.gpus), len(shapes.request)))
        self._demand = np.zeros(len(shapes.request))
        self._by_node = np.zeros((len(shapes.request), len(kinds)))

    def expect(self, demand: Ints) -> None:
        """Replicas of each shape, in any total: only their proportions count."""
        self.states.expect(demand)

    def place(self, shape: int, demand: Floats) -> Slot | None:
        """The best node for one replica, or None where it fits none. `demand` is the mix that is expected."""
        if self._left <= self._next:
            self.scarcity.expect(demand, self._left, self._placed)
            self._by_node = self._weight * self.scarcity.term()[:, self.nodes.kinds]
            self._next = self._left - REFRESH * self._room
        score = self.states.score(shape, self.nodes.number) + self._by_node[shape]
        node = int(score.argmax())
        if score[node] == -np.inf:
            return None
        slot = self.nodes.put(shape, node)
        self._left -= self._size[shape]
        self._placed[self.nodes.kinds[node], shape] += 1
        return slot
