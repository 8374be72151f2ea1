"""What a search places, and where: in plain values, numbered from 0."""

from dataclasses import dataclass
from typing import Final

NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Ask:
    """What one shape asks for: (resource, amount) where the amount is not zero, and its GPUs."""

    needs: tuple[tuple[int, int], ...]
    count: int
    milli: int
    kinds: frozenset[int]  # classes that it may use


@dataclass(frozen=True, slots=True)
class Bin:
    """A node without the replicas that the search may move: what is free, and what it has when empty."""

    kind: int
    free: tuple[int, ...]
    capacity: tuple[int, ...]
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One replica that the search may place. `home` is the node where it runs or was planned, -1 where there is none.

    Moving it from there costs `price`; `group` numbers those that share a budget of moves, and restraints.
    """

    shape: int
    weight: float
    home: int = NOWHERE
    price: float = 0.0
    group: int = 0
    runs: bool = False


@dataclass(slots=True)
class Places:
    """Where each item is (-1: waiting) and the bits of its devices; the search changes them in place."""

    node: list[int]
    devices: list[int]


def could(ask: Ask, empty: Bin) -> bool:
    """Whether the shape fits the bin once all that may move is gone."""
    return (
        empty.kind in ask.kinds
        and all(empty.free[resource] >= amount for resource, amount in ask.needs)
        and sum(left >= ask.milli for left in empty.devices) >= ask.count
    )
