"""Items in bins: who is where, what is free, and whether a few bins may be emptied and filled again otherwise."""

from collections.abc import Sequence
from random import Random
from typing import Final

from reconciler.planner.constraints import Constraints, Round
from reconciler.planner.items import NOWHERE, Ask, Bin, Item, Places
from reconciler.planner.shapes import DEVICE

TOGETHER: Final = 0.01  # what a whole device that is free is worth more than two halves


class Bins:
    """What is `free` in each bin and on its `devices`, the items that each has `held`, those that are `waiting`, and
    how many `moves` are left. All of them may be read, and what it was made of: `bins` are as if nothing were held."""

    def __init__(
        self,
        asks: Sequence[Ask],
        bins: Sequence[Bin],
        items: Sequence[Item],
        places: Places,
        *,
        moves: int,
        budgets: Sequence[int] = (),
        constraints: Sequence[Constraints | None] = (),
    ) -> None:
        """`moves` is how many items may be away from home, `budgets` how many of each group; `constraints` are those of
        each item, where anything binds any."""
        self.asks, self.bins, self.items, self.places = asks, bins, items, places
        self.free = [list(empty.free) for empty in bins]
        self.devices = [list(empty.devices) for empty in bins]
        self.held: list[list[int]] = [[] for _ in bins]
        self.moves, self._budgets = moves, list(budgets)
        self.constraints, self._round = constraints or [None] * len(items), Round()
        for item, node in enumerate(places.node):
            if node != NOWHERE:
                self._take(item, node, places.devices[item])
                self.held[node].append(item)
                self._count_move(item, node, 1)
        self.waiting = [item for item, node in enumerate(places.node) if node == NOWHERE]

    def refill(
        self, order: list[int], tried: list[int], nodes: list[int], random: Random, *, only_look: bool = False
    ) -> float | None:
        """Empties the nodes and puts items there in this order: what they held, and those that are `tried` beside.

        What that gains; None, and nothing has changed, where it may not be or costs more. With `only_look` nothing has.
        """
        items = self.items
        before = [(node, self.free[node], self.devices[node]) for node in nodes]
        together = TOGETHER if tried else 0.0  # on the way home it does not matter
        gain = sum(items[item].weight for item in tried) - together * self._together(nodes)
        for node in nodes:
            empty = self.bins[node]
            self.free[node], self.devices[node] = list(empty.free), list(empty.devices)
            for item in self.held[node]:
                if items[item].home not in (NOWHERE, node):
                    gain += items[item].price
                self._tell(item, node, -1)
        put: list[tuple[int, int, int]] = []
        for item in order:
            node, devices = self._best(item, nodes, random)
            if node == NOWHERE:
                gain -= items[item].weight
            else:
                self._take(item, node, devices)
                self._tell(item, node, 1)
                if items[item].home not in (NOWHERE, node):
                    gain -= items[item].price
            put.append((item, node, devices))
        gain += together * self._together(nodes)
        if gain >= -1e-9 and not self._round.sound():
            gain -= self._evened(put)
        sound = gain >= -1e-9 and self._round.sound() and self._justified(put, tried) and self._affordable(put)
        if sound and not only_look:
            self._keep(nodes, put)
            return gain
        if sound:
            self._shift(put, -1)
        for node, free, devices_free in before:
            self.free[node], self.devices[node] = free, devices_free
        self._round.undo()
        return gain if sound else None

    def move(self, item: int, node: int) -> None:
        """One item without devices from where it is to the node, if there is room and nothing is against it."""
        needs, binding, places = self.asks[self.items[item].shape].needs, self.constraints[item], self.places
        if any(self.free[node][resource] < amount for resource, amount in needs):
            return
        self._tell(item, places.node[item], -1)
        admitted = binding is None or binding.admits(node, False)
        self._tell(item, node, 1)
        put = [(item, node, 0)]
        if not (admitted and self._round.sound() and self._affordable(put)):
            self._round.undo()
            return
        self._take(item, places.node[item], 0, -1)
        self._take(item, node, 0)
        self.held[places.node[item]].remove(item)
        self._keep([], put)

    def _evened(self, put: list[tuple[int, int, int]]) -> float:
        """Takes back, the last first, what a spread does not let start where it was put; what that costs."""
        cost = 0.0
        for number in reversed(range(len(put))):
            item, node, devices = put[number]
            known, binding = self.items[item], self.constraints[item]
            if node == NOWHERE or binding is None or binding.starts(node) or (known.runs and known.home == node):
                continue
            self._take(item, node, devices, -1)
            self._tell(item, node, -1)
            put[number] = item, NOWHERE, 0
            cost += known.weight - (known.price if known.home not in (NOWHERE, node) else 0.0)
        return cost

    def _best(self, item: int, nodes: list[int], random: Random) -> tuple[int, int]:
        """The node and devices that the item fits best, or (-1, 0)."""
        wanted, binding = self.items[item], self.constraints[item]
        ask, best, found = self.asks[wanted.shape], 1e18, (NOWHERE, 0)
        noise = 0.1 * random.random() if random.random() < 0.9 else 2.0
        for node in nodes:
            empty, free = self.bins[node], self.free[node]
            if empty.kind not in ask.kinds:
                continue
            for resource, amount in ask.needs:
                if free[resource] < amount:
                    break
            else:
                if binding is not None and not binding.admits(node, self._stays(item, node)):
                    continue
                devices = self.devices[node]
                cpu = free[0] / empty.capacity[0] if empty.capacity[0] else 0.0
                gpu = sum(devices) / (DEVICE * len(devices)) if devices else 0.0
                stay = wanted.price * 10 if node == wanted.home else 0.0
                if ask.count == 0:
                    memory = free[1] / empty.capacity[1] if len(empty.capacity) > 1 and empty.capacity[1] else 0.0
                    score = gpu - cpu - stay if devices else cpu + memory - stay
                    score += noise * random.random()
                    if score < best:
                        best, found = score, (node, 0)
                elif ask.count == 1:
                    uneven = 0.3 * abs(cpu - gpu) - stay + noise * random.random()
                    for device, left in enumerate(devices):
                        if left >= ask.milli and (left - ask.milli) / DEVICE + uneven < best:
                            best, found = (left - ask.milli) / DEVICE + uneven, (node, 1 << device)
                else:
                    enough = [device for device, left in enumerate(devices) if left >= ask.milli]
                    if len(enough) >= ask.count and len(enough) - ask.count - stay < best:
                        enough.sort(key=devices.__getitem__)
                        best = len(enough) - ask.count - stay
                        found = (node, sum(1 << device for device in enough[: ask.count]))
        return found

    def _tell(self, item: int, node: int, sign: int) -> None:
        """What binds the item, that it comes to the node or leaves it."""
        binding = self.constraints[item]
        if binding is not None:
            known = self.items[item]
            self._round.change(binding, node, sign, known.runs and known.home == node)

    def _stays(self, item: int, node: int) -> bool:
        """Whether it runs on the node, and nothing has moved it so far."""
        known = self.items[item]
        return known.runs and known.home == node == self.places.node[item]

    def _take(self, item: int, node: int, devices: int, sign: int = 1) -> None:
        """The room that the item needs; with a `sign` of -1 it is given back."""
        ask = self.asks[self.items[item].shape]
        free = self.free[node]
        for resource, amount in ask.needs:
            free[resource] -= sign * amount
        if devices:
            left = self.devices[node]
            for device in range(len(left)):
                if devices >> device & 1:
                    left[device] -= sign * ask.milli

    def _together(self, nodes: list[int]) -> float:
        return sum(left * left for node in nodes for left in self.devices[node]) / (DEVICE * DEVICE)

    def _justified(self, put: list[tuple[int, int, int]], tried: list[int]) -> bool:
        """Whether an item that has a home gives way to nobody but such as weigh more."""
        items, placed = self.items, self.places.node
        dropped = [
            items[item].weight
            for item, node, _ in put
            if node == NOWHERE and placed[item] != NOWHERE and items[item].home != NOWHERE
        ]
        if not dropped:
            return True
        return max(
            (items[item].weight for item, node, _ in put if node != NOWHERE and item in tried), default=0.0
        ) > max(dropped)

    def _affordable(self, put: list[tuple[int, int, int]]) -> bool:
        """Whether no budget of moves is exceeded."""
        self._shift(put, 1)
        if self.moves >= 0 and (not self._budgets or all(self._budgets[self.items[p].group] >= 0 for p, _, _ in put)):
            return True
        self._shift(put, -1)
        return False

    def _shift(self, put: list[tuple[int, int, int]], sign: int) -> None:
        for item, node, _ in put:
            self._count_move(item, self.places.node[item], -sign)
            self._count_move(item, node, sign)

    def _count_move(self, item: int, node: int, sign: int) -> None:
        home = self.items[item].home
        if home not in (NOWHERE, node):
            self.moves -= sign
            if self._budgets:
                self._budgets[self.items[item].group] -= sign

    def _keep(self, nodes: list[int], put: list[tuple[int, int, int]]) -> None:
        places = self.places
        self._round.keep()
        for node in nodes:
            self.held[node] = []
        for item, node, devices in put:
            waited = places.node[item] == NOWHERE
            places.node[item], places.devices[item] = node, devices
            if node != NOWHERE:
                self.held[node].append(item)
                if waited:
                    self.waiting.remove(item)
            elif not waited:
                self.waiting.append(item)
