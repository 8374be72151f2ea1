"""Ruin and recreate: empty a few nodes, fill them again in another order, keep what is no worse.

After Schrimpf et al., "Record Breaking Optimization Results Using the Ruin and Recreate Principle" (2000). A round
takes a waiting replica and two to five nodes that it may use, frees what may move on them, and puts it all back, the
large first, with some noise, by best fit. It is kept where it does not cost more: waiting replicas by their weight,
moves by their price, less a little for free room that lies together; and where nothing that has a home gives way to
its peers, and the restraints hold.

The search is plain Python over lists on purpose: its steps are tiny, so arrays only cost, and a round takes a fifth
of a millisecond. Compiled by numba it takes 7 microseconds, for 63 MB more memory; a plan seldom needs more than 2,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from math import inf
from random import Random
from typing import Final

from reconciler.planner.bins import Bins
from reconciler.planner.items import NOWHERE, could

SMALLEST: Final = 2  # nodes that one round empties
LARGEST: Final = 5
TRIES: Final = 200
SETTLE: Final = 100  # rounds after which it is counted again what is away from home
ASIDE: Final = 0.2  # how often a node that the waiting replica cannot use takes part, for those that stand in its way
FORWARD: Final = 0.3  # how often a waiting replica that something binds is put before all others
WAYS: Final = 8  # nodes that are looked at for what might make way there
COMPANY: Final = 4  # waiting replicas that a round tries to place beside the first


@dataclass(frozen=True, slots=True)
class Outcome:
    rounds: int
    waiting: int


class Search:
    """One search over fixed bins and items, whose places it changes."""

    def __init__(self, bins: Bins) -> None:
        self._bins = bins
        self._asks, self._bare, self._items, self._places = bins.asks, bins.bins, bins.items, bins.places
        self._usable: dict[int, list[int]] = {}
        self._peak = [max(max(amounts), 1) for amounts in zip(*(empty.capacity for empty in self._bare), strict=True)]

    def run(self, rounds: int, random: Random) -> Outcome:
        """At most so many rounds; ends early once nothing waits and nothing that moved can be expected back."""
        away: list[int] = []
        for number in range(rounds):
            if self._bins.waiting:
                first = self._bins.waiting[int(random.random() * len(self._bins.waiting))]
                self._round(first, self._choose(first, [], random), random)
                continue
            if number % SETTLE == 0 or not away:
                away = [item for item, node in enumerate(self._places.node) if self._away(item, node)]
                if not away:
                    return Outcome(number, 0)
            item = away[int(random.random() * len(away))]
            if self._away(item, self._places.node[item]):
                begin = [self._items[item].home, self._places.node[item]]
                self._round(None, self._choose(item, begin, random), random)
            else:
                away.remove(item)
        return Outcome(rounds, len(self._bins.waiting))

    def make_way(self, random: Random) -> None:
        """What waits goes to the one node where least must go for it, and only what weighs less: as the scheduler
        preempts. The rounds then look for other places for those."""
        items, hopeless = self._items, set[int]()
        movable = [item for held in self._bins.held for item in held if items[item].home != NOWHERE]
        lowest = min((items[item].weight for item in movable), default=inf)
        for item in sorted(self._bins.waiting, key=lambda item: (-items[item].weight, item)):
            known = items[item]
            if self._bins.moves <= 0 or known.weight <= lowest:
                return
            if known.group in hopeless:
                continue
            ways = []
            for node in self._nearest(item):
                held = sorted(self._bins.held[node], key=lambda other: (-items[other].weight, other))
                order = [
                    *(other for other in held if items[other].weight >= known.weight),
                    item,
                    *(other for other in held if items[other].weight < known.weight),
                ]
                gain = self._bins.refill(order, [item], [node], random, only_look=True)
                if gain is not None:
                    ways.append((-gain, node, order))
                    if gain > known.weight - 2 * lowest:  # one of those that weigh least goes: no way is better
                        break
            if not ways:
                hopeless.add(known.group)
                continue
            _, node, order = min(ways)
            self._bins.refill(order, [item], [node], random)

    def _nearest(self, item: int) -> list[int]:
        """The nodes that lack least for the item: such as no rule closes to it, and others."""
        ask, binding = self._asks[self._items[item].shape], self._bins.constraints[item]
        open_: list[tuple[float, int]] = []
        closed: list[tuple[float, int]] = []
        for node in self._usable_by(self._items[item].shape):
            free = self._bins.free[node]
            lack = sum((amount - free[resource]) / amount for resource, amount in ask.needs if free[resource] < amount)
            if ask.count:
                lack += max(ask.count - sum(left >= ask.milli for left in self._bins.devices[node]), 0) / ask.count
            (open_ if binding is None or binding.admits(node, False) else closed).append((lack, node))
        return [node for ways in (open_, closed) for _, node in nsmallest(WAYS, ways)]

    def go_back(self, begin: Sequence[int]) -> None:
        """Items that moved for nothing return to the node where each was at the beginning, if there is room after all.

        The rounds see to those whose moves have a price. GPUs stay: how they are divided is what was searched for.
        """
        places = self._places
        for item, (old, new) in enumerate(zip(begin, places.node, strict=True)):
            moved = old != new and NOWHERE not in (old, new)
            if moved and self._items[item].price == 0 and not places.devices[item]:
                self._bins.move(item, old)

    def _away(self, item: int, node: int) -> bool:
        """Whether it was moved, and that costs something."""
        return node != NOWHERE and self._items[item].price > 0 and self._items[item].home not in (NOWHERE, node)

    def _round(self, first: int | None, nodes: list[int], random: Random) -> None:
        if not nodes:
            return
        tried = [] if first is None else [first]
        for _ in range(min(len(self._bins.waiting) - 1, COMPANY)):
            other = self._bins.waiting[int(random.random() * len(self._bins.waiting))]
            if other not in tried:
                tried.append(other)
        order = self._order([item for node in nodes for item in self._bins.held[node]] + tried, first, random)
        self._bins.refill(order, tried, nodes, random)

    def _usable_by(self, shape: int) -> list[int]:
        """Nodes where the shape fits once all that may move is gone."""
        usable = self._usable.get(shape)
        if usable is None:
            usable = self._usable[shape] = [n for n, empty in enumerate(self._bare) if could(self._asks[shape], empty)]
        return usable

    def _choose(self, item: int, nodes: list[int], random: Random) -> list[int]:
        """More nodes that the item may use, rather such as have some room left and where no rule is against it. Others
        too, now and then and where these are few: what is in the way on them must go somewhere."""
        shape, binding = self._items[item].shape, self._bins.constraints[item]
        usable = self._usable_by(shape)
        wanted = SMALLEST + int(random.random() * (LARGEST - SMALLEST + 1))
        gpu = self._asks[shape].count > 0
        for candidates in (usable, range(len(self._bare)))[: 2 if 0 < len(usable) < wanted else 1]:
            most = min(wanted, len(candidates))
            for _ in range(TRIES):
                if len(nodes) >= most:
                    break
                node = candidates[int(random.random() * len(candidates))]
                left = sum(self._bins.devices[node]) if gpu else self._bins.free[node][0]
                open_ = left > 0 and (binding is None or binding.admits(node, False))
                if node not in nodes and (open_ or random.random() > 0.8):
                    nodes.append(node)
        if wanted <= len(usable) < len(self._bare) and random.random() < ASIDE:
            other = int(random.random() * len(self._bare))
            if other not in nodes:
                nodes.append(other)
        return nodes

    def _order(self, items: list[int], first: int | None, random: Random) -> list[int]:
        """The large first, in an order that is a little different each time; what is large differs too.

        Now and then `first` goes first where others may keep it away, large or not.
        """
        if first is not None and self._bins.constraints[first] is not None and random.random() < FORWARD:
            return [first, *self._order([item for item in items if item != first], None, random)]
        asks, known, dice = self._asks, self._items, random.random()
        if dice < 0.1:
            return [item for _, item in sorted((random.random(), item) for item in items)]
        if dice < 0.3:
            peak, shares = self._peak, 0.4

            def size(item: int) -> float:
                ask = asks[known[item].shape]
                return max((amount / peak[resource] for resource, amount in ask.needs), default=0.0)

        else:
            shares = 0.4 if dice < 0.8 else 0.1

            def size(item: int) -> float:
                ask = asks[known[item].shape]
                gpu = ask.count * ask.milli
                cpu = ask.needs[0][1] if ask.needs and ask.needs[0][0] == 0 else 0
                return (gpu + cpu * 0.02 if gpu else cpu * 0.01) + (1e6 if ask.count > 1 else 0.0)

        return [
            item for _, item in sorted((-size(item) * (1 + shares * (random.random() - 0.5)), item) for item in items)
        ]
