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
from random import Random
from typing import Final

from reconciler.planner.restraints import Bond, Restraints
from reconciler.planner.states import DEVICE

SMALLEST: Final = 2  # nodes that one round empties
LARGEST: Final = 5
TOGETHER: Final = 0.01  # what a whole device that is free is worth more than two halves
TRIES: Final = 200
SETTLE: Final = 100  # rounds after which it is counted again what is away from home
ASIDE: Final = 0.2  # how often a node that the waiting replica cannot use takes part, for those that stand in its way
FORWARD: Final = 0.3  # how often a waiting replica that something binds is put before all others
COMPANY: Final = 4  # waiting replicas that a round tries to place beside the first
_NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Ask:
    """What one shape asks for: (resource, amount) where the amount is not zero, and its GPUs."""

    needs: tuple[tuple[int, int], ...]
    count: int
    milli: int
    kinds: frozenset[int]  # classes that it may use


@dataclass(frozen=True, slots=True)
class Room:
    """A node without the replicas that the search may move: what is free, and what it has when empty."""

    kind: int
    free: tuple[int, ...]
    capacity: tuple[int, ...]
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One replica that the search may place. `home` is the node where it runs or was planned, -1 where there is none.

    Moving it from there costs `price`; `group` numbers those that share a budget of moves, and restraints.
    """

    shape: int
    weight: float
    home: int = _NOWHERE
    price: float = 0.0
    group: int = 0
    runs: bool = False


@dataclass(slots=True)
class Places:
    """Where each piece is (-1: waiting) and the bits of its devices; the search changes them in place."""

    node: list[int]
    devices: list[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    rounds: int
    waiting: int


class Search:
    """One search over fixed rooms and pieces."""

    def __init__(
        self,
        asks: Sequence[Ask],
        rooms: Sequence[Room],
        pieces: Sequence[Piece],
        places: Places,
        *,
        moves: int,
        budgets: Sequence[int] = (),
        restraints: Restraints | None = None,
    ) -> None:
        self._asks, self._rooms, self._pieces, self._places = asks, rooms, pieces, places
        self._free = [list(room.free) for room in rooms]
        self._devices = [list(room.devices) for room in rooms]
        self._held: list[list[int]] = [[] for _ in rooms]
        self._moves, self._budgets = moves, list(budgets)
        self._restraints, self._bonds = restraints, _bonds(pieces, restraints)
        for piece, node in enumerate(places.node):
            if node != _NOWHERE:
                self._take(piece, node, places.devices[piece])
                self._held[node].append(piece)
                self._count_move(piece, node, 1)
        self._waiting = [piece for piece, node in enumerate(places.node) if node == _NOWHERE]
        self._usable: dict[int, list[int]] = {}
        self._peak = [max(max(amounts), 1) for amounts in zip(*(room.capacity for room in rooms), strict=True)]

    def run(self, rounds: int, random: Random) -> Outcome:
        """At most so many rounds; ends early once nothing waits and nothing that moved can be expected back."""
        away: list[int] = []
        for number in range(rounds):
            if self._waiting:
                first = self._waiting[int(random.random() * len(self._waiting))]
                self._round(first, self._choose(first, [], random), random)
                continue
            if number % SETTLE == 0 or not away:
                away = [piece for piece, node in enumerate(self._places.node) if self._away(piece, node)]
                if not away:
                    return Outcome(number, 0)
            piece = away[int(random.random() * len(away))]
            if self._away(piece, self._places.node[piece]):
                begin = [self._pieces[piece].home, self._places.node[piece]]
                self._round(None, self._choose(piece, begin, random), random)
            else:
                away.remove(piece)
        return Outcome(rounds, len(self._waiting))

    def go_back(self, begin: Sequence[int]) -> None:
        """Pieces that moved for nothing return to the node where each was at the beginning, where there is room after all.

        The rounds see to those whose moves have a price. GPUs stay: how they are divided is what was searched for.
        """
        places = self._places
        for piece, (old, new) in enumerate(zip(begin, places.node, strict=True)):
            if _NOWHERE in (old, new) or old == new or self._pieces[piece].price > 0 or places.devices[piece]:
                continue
            needs, bond = self._asks[self._pieces[piece].shape].needs, self._bonds[piece]
            if any(self._free[old][resource] < amount for resource, amount in needs):
                continue
            self._tell(piece, new, -1)
            if bond is not None and self._restraints is not None:
                if not bond.admits(old, False):
                    self._restraints.undo()
                    continue
                self._tell(piece, old, 1)
                if not self._restraints.sound():
                    self._restraints.undo()
                    continue
                self._restraints.keep()
            self._take(piece, old, 0)
            for resource, amount in needs:
                self._free[new][resource] += amount
            places.node[piece] = old

    def _away(self, piece: int, node: int) -> bool:
        """Whether it was moved, and that costs something."""
        return node != _NOWHERE and self._pieces[piece].price > 0 and self._pieces[piece].home not in (_NOWHERE, node)

    def _round(self, first: int | None, nodes: list[int], random: Random) -> None:
        if not nodes:
            return
        pieces, places = self._pieces, self._places
        removed = [piece for node in nodes for piece in self._held[node]]
        tried = [] if first is None else [first]
        for _ in range(min(len(self._waiting) - 1, COMPANY)):
            other = self._waiting[int(random.random() * len(self._waiting))]
            if other not in tried:
                tried.append(other)
        before = [(node, self._free[node], self._devices[node]) for node in nodes]
        together = TOGETHER if first is not None else 0.0  # on the way home it does not matter
        cost = sum(pieces[piece].weight for piece in tried) - together * self._together(nodes)
        for piece in removed:
            if pieces[piece].home not in (_NOWHERE, places.node[piece]):
                cost += pieces[piece].price
        for node in nodes:
            room = self._rooms[node]
            self._free[node], self._devices[node] = list(room.free), list(room.devices)
        for piece in removed:
            self._tell(piece, places.node[piece], -1)
        put: list[tuple[int, int, int]] = []
        for piece in self._order(removed + tried, first, random):
            node, devices = self._best(piece, nodes, random)
            if node == _NOWHERE:
                cost -= pieces[piece].weight
            else:
                self._take(piece, node, devices)
                self._tell(piece, node, 1)
                if pieces[piece].home not in (_NOWHERE, node):
                    cost -= pieces[piece].price
            put.append((piece, node, devices))
        cost += together * self._together(nodes)
        sound = self._restraints is None or self._restraints.sound()
        if cost < -1e-9 or not sound or not self._justified(put, tried) or not self._affordable(put):
            for node, free, devices_free in before:
                self._free[node], self._devices[node] = free, devices_free
            if self._restraints is not None:
                self._restraints.undo()
            return
        self._keep(nodes, put)

    def _choose(self, piece: int, nodes: list[int], random: Random) -> list[int]:
        """More nodes that the piece may use, rather such as have some room left and where no rule is against it. Others
        too, now and then and where these are few: what is in the way on them must go somewhere."""
        shape, bond = self._pieces[piece].shape, self._bonds[piece]
        usable = self._usable.get(shape)
        if usable is None:
            usable = self._usable[shape] = [n for n, room in enumerate(self._rooms) if _could(self._asks[shape], room)]
        wanted = SMALLEST + int(random.random() * (LARGEST - SMALLEST + 1))
        gpu = self._asks[shape].count > 0
        for candidates in (usable, range(len(self._rooms)))[: 2 if 0 < len(usable) < wanted else 1]:
            most = min(wanted, len(candidates))
            for _ in range(TRIES):
                if len(nodes) >= most:
                    break
                node = candidates[int(random.random() * len(candidates))]
                left = sum(self._devices[node]) if gpu else self._free[node][0]
                open_ = left > 0 and (bond is None or bond.admits(node, False))
                if node not in nodes and (open_ or random.random() > 0.8):
                    nodes.append(node)
        if wanted <= len(usable) < len(self._rooms) and random.random() < ASIDE:
            other = int(random.random() * len(self._rooms))
            if other not in nodes:
                nodes.append(other)
        return nodes

    def _order(self, pieces: list[int], first: int | None, random: Random) -> list[int]:
        """The large first, in an order that is a little different each time; what is large differs too.

        Now and then `first` goes first where others may keep it away, large or not.
        """
        if first is not None and self._bonds[first] is not None and random.random() < FORWARD:
            return [first, *self._order([piece for piece in pieces if piece != first], None, random)]
        asks, known, dice = self._asks, self._pieces, random.random()
        if dice < 0.1:
            return [piece for _, piece in sorted((random.random(), piece) for piece in pieces)]
        if dice < 0.3:
            peak, shares = self._peak, 0.4

            def size(piece: int) -> float:
                ask = asks[known[piece].shape]
                return max((amount / peak[resource] for resource, amount in ask.needs), default=0.0)

        else:
            shares = 0.4 if dice < 0.8 else 0.1

            def size(piece: int) -> float:
                ask = asks[known[piece].shape]
                gpu = ask.count * ask.milli
                cpu = ask.needs[0][1] if ask.needs and ask.needs[0][0] == 0 else 0
                return (gpu + cpu * 0.02 if gpu else cpu * 0.01) + (1e6 if ask.count > 1 else 0.0)

        return [
            piece
            for _, piece in sorted((-size(piece) * (1 + shares * (random.random() - 0.5)), piece) for piece in pieces)
        ]

    def _best(self, piece: int, nodes: list[int], random: Random) -> tuple[int, int]:
        """The node and devices that the piece fits best, or (-1, 0)."""
        wanted, bond = self._pieces[piece], self._bonds[piece]
        ask, best, found = self._asks[wanted.shape], 1e18, (_NOWHERE, 0)
        noise = 0.1 * random.random() if random.random() < 0.9 else 2.0
        for node in nodes:
            room, free = self._rooms[node], self._free[node]
            if room.kind not in ask.kinds:
                continue
            for resource, amount in ask.needs:
                if free[resource] < amount:
                    break
            else:
                if bond is not None and not bond.admits(node, self._stays(piece, node)):
                    continue
                devices = self._devices[node]
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
        """The restraints, where any bind the piece, that it comes to the node or leaves it."""
        bond = self._bonds[piece]
        if bond is not None and self._restraints is not None:
            known = self._pieces[piece]
            self._restraints.change(bond, node, sign, known.runs and known.home == node)

    def _stays(self, piece: int, node: int) -> bool:
        """Whether it runs on the node, and nothing has moved it so far."""
        known = self._pieces[piece]
        return known.runs and known.home == node == self._places.node[piece]

    def _take(self, piece: int, node: int, devices: int) -> None:
        ask = self._asks[self._pieces[piece].shape]
        free = self._free[node]
        for resource, amount in ask.needs:
            free[resource] -= amount
        if devices:
            left = self._devices[node]
            for device in range(len(left)):
                if devices >> device & 1:
                    left[device] -= ask.milli

    def _together(self, nodes: list[int]) -> float:
        return sum(left * left for node in nodes for left in self._devices[node]) / (DEVICE * DEVICE)

    def _justified(self, put: list[tuple[int, int, int]], tried: list[int]) -> bool:
        """Whether a piece that has a home gives way to nobody but such as weigh more."""
        pieces, placed = self._pieces, self._places.node
        dropped = [
            pieces[piece].weight
            for piece, node, _ in put
            if node == _NOWHERE and placed[piece] != _NOWHERE and pieces[piece].home != _NOWHERE
        ]
        if not dropped:
            return True
        return max(
            (pieces[piece].weight for piece, node, _ in put if node != _NOWHERE and piece in tried), default=0.0
        ) > max(dropped)

    def _affordable(self, put: list[tuple[int, int, int]]) -> bool:
        """Whether no budget of moves is exceeded."""
        self._shift(put, 1)
        if self._moves >= 0 and (
            not self._budgets or all(self._budgets[self._pieces[p].group] >= 0 for p, _, _ in put)
        ):
            return True
        self._shift(put, -1)
        return False

    def _shift(self, put: list[tuple[int, int, int]], sign: int) -> None:
        for piece, node, _ in put:
            self._count_move(piece, self._places.node[piece], -sign)
            self._count_move(piece, node, sign)

    def _count_move(self, piece: int, node: int, sign: int) -> None:
        home = self._pieces[piece].home
        if home not in (_NOWHERE, node):
            self._moves -= sign
            if self._budgets:
                self._budgets[self._pieces[piece].group] -= sign

    def _keep(self, nodes: list[int], put: list[tuple[int, int, int]]) -> None:
        places = self._places
        if self._restraints is not None:
            self._restraints.keep()
        for node in nodes:
            self._held[node] = []
        for piece, node, devices in put:
            waited = places.node[piece] == _NOWHERE
            places.node[piece], places.devices[piece] = node, devices
            if node != _NOWHERE:
                self._held[node].append(piece)
                if waited:
                    self._waiting.remove(piece)
            elif not waited:
                self._waiting.append(piece)


def _bonds(pieces: Sequence[Piece], restraints: Restraints | None) -> list[Bond | None]:
    """What binds each piece."""
    return [None if restraints is None else restraints.bond(piece.group) for piece in pieces]


def _could(ask: Ask, room: Room) -> bool:
    """Whether the shape fits the room once all that may move is gone."""
    return (
        room.kind in ask.kinds
        and all(room.free[resource] >= amount for resource, amount in ask.needs)
        and sum(left >= ask.milli for left in room.devices) >= ask.count
    )
