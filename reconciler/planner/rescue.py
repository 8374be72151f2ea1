"""When replicas wait: search for a packing that has room for them, at the price of a few moves."""

from random import Random

import numpy as np

from reconciler.model.planning_policy import Policy
from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Slot
from reconciler.planner.search import Ask, Piece, Places, Room, Search
from reconciler.planner.states import Bools

MOST_WAITING = 2000  # what waits beyond this waits for nodes, not for a better packing


def rescue(ledger: Ledger, kept: Kept, worth: list[float], policy: Policy) -> int:
    """Moves and places what the search finds; how many rounds it took.

    Only replicas that no rule among replicas concerns take part, and none in a pool with a limit: those checks are not
    the search's. A running replica takes part where its workload is movable.
    """
    free = [workload for workload in range(len(worth)) if _takes_part(ledger, workload)]
    waiting = [(workload, ledger.intake.needs[workload].replicas - ledger.count(workload)) for workload in free]
    waiting = [(workload, count) for workload, count in waiting if count > 0 and ledger.quota_left(workload) >= count]
    if not waiting or not policy.iterations:
        return 0
    pieces: list[Piece] = []
    owner: list[int] = []
    slots: list[Slot | None] = []
    open_ = np.array([not ledger.limited(node) for node in range(len(ledger.intake.nodes))], np.bool_)
    for workload in free:
        _place_pieces(ledger, kept, workload, worth[workload], policy, open_, pieces, owner, slots)
    left = MOST_WAITING
    for workload, count in waiting:
        for _ in range(min(count, left)):
            pieces.append(Piece(int(ledger.groups.shape_of[workload]), worth[workload], group=workload))
            owner.append(workload)
            slots.append(None)
        left -= min(count, left)
    places = Places([slot.node if slot else -1 for slot in slots], [slot.devices if slot else 0 for slot in slots])
    rooms = _rooms(ledger, pieces, slots, open_)
    budgets = [
        policy.move_budget if need.disruptions is None else max(need.disruptions, 0) for need in ledger.intake.needs
    ]
    search = Search(_asks(ledger), rooms, pieces, places, moves=policy.move_budget, budgets=budgets)
    outcome = search.run(policy.iterations, Random(policy.seed))  # noqa: S311 - no secret hangs on it
    changed = [
        piece
        for piece, slot in enumerate(slots)
        if (places.node[piece], places.devices[piece]) != ((slot.node, slot.devices) if slot else (-1, 0))
        and (slot is not None or places.node[piece] >= 0)
    ]
    for piece in changed:
        if (before := slots[piece]) is not None:
            ledger.strike(owner[piece], before)
    for piece in changed:
        if places.node[piece] >= 0:
            ledger.enter(owner[piece], Slot(places.node[piece], places.devices[piece]))
    return outcome.rounds


def _takes_part(ledger: Ledger, workload: int) -> bool:
    need = ledger.intake.needs[workload]
    return need.identity not in ledger.intake.refused and not ledger.topology.constrained(workload)


def _place_pieces(
    ledger: Ledger, kept: Kept, workload: int, worth: float, policy: Policy, open_: Bools,
    pieces: list[Piece], owner: list[int], slots: list[Slot | None],
) -> None:  # fmt: skip
    """The replicas of the workload that have a place and may leave it."""
    shape = int(ledger.groups.shape_of[workload])
    allowed = ledger.groups.shapes.allowed[ledger.groups.kinds, shape]
    movable = ledger.intake.needs[workload].movable
    running, homes = kept.running_of(workload), kept.homes_of(workload)
    for node in sorted(ledger.held(workload)):
        if not open_[node] or not allowed[node]:
            continue
        fixed = 0 if movable else running.get(node, 0)
        at_home = homes.get(node, 0)
        for number, slot in enumerate(ledger.slots(workload, node)[fixed:], fixed):
            home = node if number < at_home else -1
            pieces.append(Piece(shape, worth, home, policy.move_price if home >= 0 else 0.0, workload))
            owner.append(workload)
            slots.append(slot)


def _asks(ledger: Ledger) -> list[Ask]:
    shapes = ledger.groups.shapes
    return [
        Ask(
            tuple((resource, int(amount)) for resource, amount in enumerate(shapes.request[shape]) if amount),
            int(shapes.count[shape]),
            int(shapes.milli[shape]),
            frozenset(np.flatnonzero(shapes.allowed[:, shape]).tolist()),
        )
        for shape in range(len(shapes.request))
    ]


def _rooms(ledger: Ledger, pieces: list[Piece], slots: list[Slot | None], open_: Bools) -> list[Room]:
    """The nodes without the pieces; one that takes no part is of no class, so that nothing goes there."""
    nodes, shapes = ledger.nodes, ledger.groups.shapes
    free = nodes.free
    devices = [list(left) for left in nodes.devices]
    for piece, slot in zip(pieces, slots, strict=True):
        if slot is not None:
            free[slot.node] += shapes.request[piece.shape]
            for device in range(len(devices[slot.node])):
                if slot.devices >> device & 1:
                    devices[slot.node][device] += int(shapes.milli[piece.shape])
    capacity = ledger.groups.classes.capacity[nodes.kinds].tolist()
    return [
        Room(int(kind) if open_[node] else -1, tuple(left), tuple(capacity[node]), tuple(devices[node]))
        for node, (kind, left) in enumerate(zip(nodes.kinds.tolist(), free.tolist(), strict=True))
    ]
