"""When replicas wait: search for a packing that has room for them, at the price of a few moves."""

from collections.abc import Mapping
from random import Random

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.planning_policy import Policy
from reconciler.planner.bins import Bins
from reconciler.planner.holdings import Standing
from reconciler.planner.items import Ask, Bin, Item, Places
from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Slot
from reconciler.planner.restraints import Restraints
from reconciler.planner.search import Search
from reconciler.planner.shapes import Bools

MOST_WAITING = 2000  # what waits beyond this waits for nodes, not for a better packing
SMALL = 200  # nodes up to which a change is searched for as thoroughly as a whole plan
EACH = 4  # rounds beyond that for each replica more that waits


def rounds(policy: Policy, nodes: int, more: int, *, first: bool) -> int:
    """How long to search when `more` replicas wait than before, or none was planned before (`first`).

    In a large cluster a change is a small part, and the next plan comes soon.
    """
    if first or nodes <= SMALL:
        return policy.iterations
    return min(policy.iterations, max(EACH * more, policy.iterations * SMALL // nodes))


def rescue(
    ledger: Ledger, kept: Kept, worth: list[float], policy: Policy, most: int, before: Mapping[Identity, int]
) -> None:
    """Moves and places what the search finds in at most so many rounds. What waited `before` already is only looked at
    where nothing else waits.

    A running replica takes part where its workload is movable. Of many nodes only so many take part as there are
    rounds: those that lack least, and others by chance.
    """
    random = Random(policy.seed)  # noqa: S311 - no secret hangs on it
    needs = ledger.intake.needs
    waiting = _waiting(ledger, worth, before) or _waiting(ledger, worth, {})
    if not waiting or not most:
        return
    open_ = _open(ledger, most, sorted(set(waiting)), random)
    nodes = np.flatnonzero(open_).tolist()
    local = {node: number for number, node in enumerate(nodes)}  # the search numbers only those that take part
    restraints = Restraints(ledger, kept, nodes)
    items: list[Item] = []
    owner: list[int] = []
    slots: list[Slot | None] = []
    for workload, here in _on(ledger.holdings.standing(), open_):
        shape = int(ledger.groups.shape_of[workload])
        for slot, at_home, runs in _leaving(ledger, kept, workload, here):
            node = local[slot.node]
            if not restraints.stuck(workload, node, runs=runs):
                home, price = (node, policy.move_price) if at_home else (-1, 0.0)
                items.append(Item(shape, worth[workload], home, price, workload, runs))
                owner.append(workload)
                slots.append(slot)
    bins = _bins(ledger, nodes, [(owner[item], slot) for item, slot in enumerate(slots) if slot])
    for workload in waiting:
        items.append(Item(int(ledger.groups.shape_of[workload]), worth[workload], group=workload))
        owner.append(workload)
        slots.append(None)
    places = Places(
        [local[slot.node] if slot else -1 for slot in slots], [slot.devices if slot else 0 for slot in slots]
    )
    budgets = [policy.move_budget if need.disruptions is None else max(need.disruptions, 0) for need in needs]
    constraints = [restraints.of(workload) for workload in owner]
    begin = list(places.node)
    search = Search(
        Bins(_asks(ledger), bins, items, places, moves=policy.move_budget, budgets=budgets, constraints=constraints)
    )
    search.make_way(random)
    search.run(most, random)
    search.go_back(begin)
    found = zip(places.node, places.devices, strict=True)
    after = [Slot(nodes[node], held) if node >= 0 else None for node, held in found]
    _carry_out(ledger, owner, slots, after)


def _waiting(ledger: Ledger, worth: list[float], before: Mapping[Identity, int]) -> list[int]:
    """The workload of each replica that waits and did not before, what is worth most first."""
    needs, found = ledger.intake.needs, []
    for workload in ledger.lacking():
        fresh = ledger.missing(workload) - before.get(needs[workload].identity, 0)
        if fresh > 0 and needs[workload].identity not in ledger.intake.refused:
            found.append((-worth[workload], workload, fresh))
    return [workload for _, workload, fresh in sorted(found) for _ in range(fresh)][:MOST_WAITING]


def _carry_out(ledger: Ledger, owner: list[int], before: list[Slot | None], after: list[Slot | None]) -> None:
    changed = [item for item, slot in enumerate(before) if after[item] != slot]
    for item in changed:
        if (slot := before[item]) is not None:
            ledger.strike(owner[item], slot)
    for item in changed:
        if (slot := after[item]) is not None:
            ledger.enter(owner[item], slot)


def _open(ledger: Ledger, most: int, waiting: list[int], random: Random) -> Bools:
    """The nodes that take part."""
    groups, free = ledger.groups, ledger.nodes.free
    shapes = {int(ledger.asks[groups.shape_of[workload]]): int(groups.shape_of[workload]) for workload in waiting}
    if len(free) <= most:
        return np.ones(len(free), np.bool_)
    found = np.zeros(len(free), np.bool_)
    found[random.sample(range(len(free)), most // 2)] = True  # also such as others can be moved to
    share = -(-(most - most // 2) // len(shapes))
    for shape in shapes.values():
        nodes = np.flatnonzero(groups.shapes.allowed[groups.kinds, shape])
        request = groups.shapes.request[shape]
        lacks = np.zeros(len(nodes))
        for resource in np.flatnonzero(request).tolist():
            lacks += np.maximum(request[resource] - free[nodes, resource], 0) / request[resource]
        if len(nodes) > share:
            few = np.flatnonzero(lacks <= np.partition(lacks, share)[share])
            nodes, lacks = nodes[few], lacks[few]
        found[nodes[np.argsort(lacks, kind="stable")[:share]]] = True
    return found


def _on(standing: Standing, open_: Bools) -> list[tuple[int, list[int]]]:
    """The workloads with replicas on these nodes, and on which."""
    rows = np.flatnonzero(open_[standing.nodes])
    workloads = standing.workloads()[rows]
    firsts = np.unique(workloads, return_index=True)[1]
    parts = np.split(rows, firsts[1:]) if len(rows) else []
    return [(int(workloads[first]), standing.nodes[part].tolist()) for first, part in zip(firsts, parts, strict=True)]


def _leaving(ledger: Ledger, kept: Kept, workload: int, nodes: list[int]) -> list[tuple[Slot, bool, bool]]:
    """The replicas of the workload on these nodes that may leave them, whether they were there before, and ran."""
    shape = int(ledger.groups.shape_of[workload])
    allowed, kinds = ledger.groups.shapes.allowed, ledger.groups.kinds
    movable = ledger.intake.needs[workload].movable
    running, homes = kept.running_of(workload), kept.homes_of(workload)
    found = []
    for node in nodes:
        if allowed[kinds[node], shape]:
            runs, at_home = running.get(node, 0), homes.get(node, 0)
            slots = enumerate(ledger.slots(workload, node))
            found += [(slot, number < at_home, number < runs) for number, slot in slots if movable or number >= runs]
    return found


def _asks(ledger: Ledger) -> list[Ask]:
    shapes = ledger.groups.shapes
    columns = shapes.request, shapes.count, shapes.milli, shapes.allowed.T
    return [
        Ask(
            tuple((resource, amount) for resource, amount in enumerate(request) if amount),
            count,
            milli,
            frozenset(kind for kind, may in enumerate(allowed) if may),
        )
        for request, count, milli, allowed in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _bins(ledger: Ledger, numbers: list[int], leaving: list[tuple[int, Slot]]) -> list[Bin]:
    """These nodes without the replicas that may leave them."""
    nodes, groups = ledger.nodes, ledger.groups
    free = nodes.free
    devices = {node: list(nodes.devices[node]) for node in numbers}
    for workload, slot in leaving:
        shape = int(groups.shape_of[workload])
        free[slot.node] += groups.shapes.request[shape]
        held = devices[slot.node]
        for device in range(len(held)):
            if slot.devices >> device & 1:
                held[device] += int(groups.shapes.milli[shape])
    kinds = nodes.kinds[numbers]
    capacity = groups.classes.capacity[kinds].tolist()
    return [
        Bin(kind, tuple(left), tuple(whole), tuple(devices[node]))
        for node, kind, left, whole in zip(numbers, kinds.tolist(), free[numbers].tolist(), capacity, strict=True)
    ]
