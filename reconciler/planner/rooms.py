"""Pieces in rooms: who is where, what is free, and whether a few rooms may be emptied and filled again otherwise."""

from collections.abc import Sequence
from random import Random
from typing import Final

from reconciler.planner.bonds import Bond, Round
from reconciler.planner.pieces import NOWHERE, Ask, Piece, Places, Room
from reconciler.planner.shapes import DEVICE

TOGETHER: Final = 0.01  # what a whole device that is free is worth more than two halves


class Rooms:
    """What is `free` in each room and on its `devices`, the pieces that each has `held`, those that are `waiting`, and
    how many `moves` are left. All of them may be read, and what it was made of: `rooms` are as if nothing were held."""

    def __init__(
        self,
        asks: Sequence[Ask],
        rooms: Sequence[Room],
        pieces: Sequence[Piece],
        places: Places,
        *,
        moves: int,
        budgets: Sequence[int] = (),
        bonds: Sequence[Bond | None] = (),
    ) -> None:
        """`moves` is how many pieces may be away from home, `budgets` how many of each group; `bonds` what binds each
        piece, where anything binds any."""
        self.asks, self.rooms, self.pieces, self.places = asks, rooms, pieces, places
        self.free = [list(room.free) for room in rooms]
        self.devices = [list(room.devices) for room in rooms]
        self.held: list[list[int]] = [[] for _ in rooms]
        self.moves, self._budgets = moves, list(budgets)
        self.bonds, self._round = bonds or [None] * len(pieces), Round()
        for piece, node in enumerate(places.node):
            if node != NOWHERE:
                self._take(piece, node, places.devices[piece])
                self.held[node].append(piece)
                self._count_move(piece, node, 1)
        self.waiting = [piece for piece, node in enumerate(places.node) if node == NOWHERE]

    def refill(
        self, order: list[int], tried: list[int], nodes: list[int], random: Random, *, only_look: bool = False
    ) -> float | None:
        """Empties the nodes and puts pieces there in this order: what they held, and those that are `tried` beside.

        What that gains; None, and nothing has changed, where it may not be or costs more. With `only_look` nothing has.
        """
        pieces = self.pieces
        before = [(node, self.free[node], self.devices[node]) for node in nodes]
        together = TOGETHER if tried else 0.0  # on the way home it does not matter
        gain = sum(pieces[piece].weight for piece in tried) - together * self._together(nodes)
        for node in nodes:
            room = self.rooms[node]
            self.free[node], self.devices[node] = list(room.free), list(room.devices)
            for piece in self.held[node]:
                if pieces[piece].home not in (NOWHERE, node):
                    gain += pieces[piece].price
                self._tell(piece, node, -1)
        put: list[tuple[int, int, int]] = []
        for piece in order:
            node, devices = self._best(piece, nodes, random)
            if node == NOWHERE:
                gain -= pieces[piece].weight
            else:
                self._take(piece, node, devices)
                self._tell(piece, node, 1)
                if pieces[piece].home not in (NOWHERE, node):
                    gain -= pieces[piece].price
            put.append((piece, node, devices))
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

    def move(self, piece: int, node: int) -> None:
        """One piece without devices from where it is to the node, if there is room and nothing is against it."""
        needs, bond, places = self.asks[self.pieces[piece].shape].needs, self.bonds[piece], self.places
        if any(self.free[node][resource] < amount for resource, amount in needs):
            return
        self._tell(piece, places.node[piece], -1)
        admitted = bond is None or bond.admits(node, False)
        self._tell(piece, node, 1)
        put = [(piece, node, 0)]
        if not (admitted and self._round.sound() and self._affordable(put)):
            self._round.undo()
            return
        self._take(piece, places.node[piece], 0, -1)
        self._take(piece, node, 0)
        self.held[places.node[piece]].remove(piece)
        self._keep([], put)

    def _evened(self, put: list[tuple[int, int, int]]) -> float:
        """Takes back, the last first, what a spread does not let start where it was put; what that costs."""
        cost = 0.0
        for number in reversed(range(len(put))):
            piece, node, devices = put[number]
            known, bond = self.pieces[piece], self.bonds[piece]
            if node == NOWHERE or bond is None or bond.starts(node) or (known.runs and known.home == node):
                continue
            self._take(piece, node, devices, -1)
            self._tell(piece, node, -1)
            put[number] = piece, NOWHERE, 0
            cost += known.weight - (known.price if known.home not in (NOWHERE, node) else 0.0)
        return cost

    def _best(self, piece: int, nodes: list[int], random: Random) -> tuple[int, int]:
        """The node and devices that the piece fits best, or (-1, 0)."""
        wanted, bond = self.pieces[piece], self.bonds[piece]
        ask, best, found = self.asks[wanted.shape], 1e18, (NOWHERE, 0)
        noise = 0.1 * random.random() if random.random() < 0.9 else 2.0
        for node in nodes:
            room, free = self.rooms[node], self.free[node]
            if room.kind not in ask.kinds:
                continue
            for resource, amount in ask.needs:
                if free[resource] < amount:
                    break
            else:
                if bond is not None and not bond.admits(node, self._stays(piece, node)):
                    continue
                devices = self.devices[node]
                cpu = free[0] / room.capacity[0] if room.capacity[0] else 0.0
                gpu = sum(devices) / (DEVICE * len(devices)) if devices else 0.0
                stay = wanted.price * 10 if node == wanted.home else 0.0
                if ask.count == 0:
                    memory = free[1] / room.capacity[1] if len(room.capacity) > 1 and room.capacity[1] else 0.0
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

    def _tell(self, piece: int, node: int, sign: int) -> None:
        """What binds the piece, that it comes to the node or leaves it."""
        bond = self.bonds[piece]
        if bond is not None:
            known = self.pieces[piece]
            self._round.change(bond, node, sign, known.runs and known.home == node)

    def _stays(self, piece: int, node: int) -> bool:
        """Whether it runs on the node, and nothing has moved it so far."""
        known = self.pieces[piece]
        return known.runs and known.home == node == self.places.node[piece]

    def _take(self, piece: int, node: int, devices: int, sign: int = 1) -> None:
        """The room that the piece needs; with a `sign` of -1 it is given back."""
        ask = self.asks[self.pieces[piece].shape]
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
        """Whether a piece that has a home gives way to nobody but such as weigh more."""
        pieces, placed = self.pieces, self.places.node
        dropped = [
            pieces[piece].weight
            for piece, node, _ in put
            if node == NOWHERE and placed[piece] != NOWHERE and pieces[piece].home != NOWHERE
        ]
        if not dropped:
            return True
        return max(
            (pieces[piece].weight for piece, node, _ in put if node != NOWHERE and piece in tried), default=0.0
        ) > max(dropped)

    def _affordable(self, put: list[tuple[int, int, int]]) -> bool:
        """Whether no budget of moves is exceeded."""
        self._shift(put, 1)
        if self.moves >= 0 and (not self._budgets or all(self._budgets[self.pieces[p].group] >= 0 for p, _, _ in put)):
            return True
        self._shift(put, -1)
        return False

    def _shift(self, put: list[tuple[int, int, int]], sign: int) -> None:
        for piece, node, _ in put:
            self._count_move(piece, self.places.node[piece], -sign)
            self._count_move(piece, node, sign)

    def _count_move(self, piece: int, node: int, sign: int) -> None:
        home = self.pieces[piece].home
        if home not in (NOWHERE, node):
            self.moves -= sign
            if self._budgets:
                self._budgets[self.pieces[piece].group] -= sign

    def _keep(self, nodes: list[int], put: list[tuple[int, int, int]]) -> None:
        places = self.places
        self._round.keep()
        for node in nodes:
            self.held[node] = []
        for piece, node, devices in put:
            waited = places.node[piece] == NOWHERE
            places.node[piece], places.devices[piece] = node, devices
            if node != NOWHERE:
                self.held[node].append(piece)
                if waited:
                    self.waiting.remove(piece)
            elif not waited:
                self.waiting.append(piece)
