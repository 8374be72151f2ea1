"""What replicas ask for and what nodes have, as arrays: a row for each that is like no other."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DEVICE: Final = 1000  # thousandths of a whole GPU


@dataclass(frozen=True, slots=True)
class Shapes:
    """What replicas ask for, one row a distinct shape.

    `request` (shapes × resources); `count` GPUs with `milli` thousandths each (0 and 0 for none); `allowed`
    (classes × shapes) says which classes of nodes a shape may use.
    """

    request: Ints
    count: Ints
    milli: Ints
    allowed: Bools

    @property
    def gpu(self) -> Ints:
        """Thousandths that one replica takes in all."""
        return self.count * self.milli


@dataclass(frozen=True, slots=True)
class Classes:
    """Nodes that are equal when empty, one row a class: `capacity` (classes × resources) and `gpus`, in devices."""

    capacity: Ints
    gpus: Ints
