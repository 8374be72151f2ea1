"""What stays: running replicas and those that the plan before had found a place for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import PodView
from reconciler.model.plan import Constraint
from reconciler.planner.intake import Intake
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Slot
from reconciler.planner.states import Ints


@dataclass(frozen=True, slots=True)
class Kept:
    """By workload: replicas by node that run there, those that ran or were planned there, and those of them that could
    not stay and so are homeless."""

    running: list[Ints]
    homes: list[Ints]
    homeless: list[Ints]


def own_pods(intake: Intake) -> tuple[list[tuple[int, PodView, int]], list[tuple[PodView, int]]]:
    """Pods of the workloads that are planned, as (workload, pod, node), and all others."""
    numbers = {need.identity: number for number, need in enumerate(intake.needs)}
    at = {node.name: index for index, node in enumerate(intake.nodes)}
    ours, others = [], []
    for pod in intake.running:
        node = at[pod.node]
        if not intake.nodes[node].ready:
            continue  # lost with its node: its room comes back with the node, not before
        if pod.owner is not None and pod.owner in numbers:
            ours.append((numbers[pod.owner], pod, node))
        else:
            others.append((pod, node))
    return ours, others


def keep(ledger: Ledger, ours: list[tuple[int, PodView, int]], before: Mapping[Identity, Mapping[str, int]]) -> Kept:
    """Enters what may stay into the ledger: the running first, then what was planned; never more than is asked for."""
    intake, count = ledger.intake, len(ledger.intake.nodes)
    at = {node.name: index for index, node in enumerate(intake.nodes)}
    running = [np.zeros(count, np.int64) for _ in intake.needs]
    devices: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for workload, pod, node in ours:
        running[workload][node] += 1
        devices.setdefault((workload, node), []).append(pod.devices)
    homes = [counts.copy() for counts in running]
    for workload, need in enumerate(intake.needs):
        for name, planned in before.get(need.identity, {}).items():
            if name in at and intake.nodes[at[name]].ready:
                homes[workload][at[name]] = max(homes[workload][at[name]], planned)
    homeless = [counts.copy() for counts in homes]
    for first in (True, False):  # what runs goes before what was only planned
        for workload in sorted(range(len(intake.needs)), key=lambda w: (-intake.needs[w].priority, w)):
            source = running[workload] if first else homes[workload]
            left: dict[int, int] = {}
            for node in sorted(np.flatnonzero(source).tolist(), key=lambda n: (int(source[n]), intake.nodes[n].name)):
                here = len(ledger.slots[workload].get(node, ()))
                if int(source[node]) <= here:
                    continue
                if _plain(ledger, workload):
                    homeless[workload][node] -= _all_stay(ledger, workload, node, int(source[node]) - here)
                    continue
                left[node] = int(source[node]) - here
            # Turn by turn over the nodes: a spread lets nobody in while its domains fill one after another.
            while left:
                waiting = sum(left.values())
                for node in list(left):
                    number = len(ledger.slots[workload].get(node, ()))
                    known = devices.get((workload, node), [])
                    wanted = known[number] if number < len(known) else ()
                    if _stays(ledger, workload, node, wanted, runs=first):
                        homeless[workload][node] -= 1
                        left[node] -= 1
                left = {node: count for node, count in left.items() if count}
                if sum(left.values()) == waiting:
                    break
    return Kept(running, homes, homeless)


def _plain(ledger: Ledger, workload: int) -> bool:
    """Whether nothing but room decides about its replicas, so that those of one node stay or go at once."""
    shape = int(ledger.groups.shape_of[workload])
    limited = (
        ledger.open_pools(workload) is not None or ledger.quota_left(workload) < ledger.intake.needs[workload].replicas
    )
    return not (limited or ledger.groups.shapes.count[shape] or ledger.topology.constrained(workload))


def _all_stay(ledger: Ledger, workload: int, node: int, count: int) -> int:
    """Enters as many of them as fit and are wanted; how many."""
    groups, need = ledger.groups, ledger.intake.needs[workload]
    kind, shape = int(groups.kinds[node]), int(groups.shape_of[workload])
    if need.identity in ledger.intake.refused or groups.refusals[kind][workload] not in (None, Constraint.READY):
        return 0
    free, request = ledger.nodes.states.free[ledger.nodes.number[node]], groups.shapes.request[shape]
    room = min(int(left) // int(asked) for left, asked in zip(free, request, strict=True) if asked)
    staying = max(min(count, room, need.replicas - ledger.count(workload)), 0)
    if staying:
        ledger.enter_many(workload, node, staying)
    return staying


def _stays(ledger: Ledger, workload: int, node: int, devices: tuple[int, ...], *, runs: bool) -> bool:
    """Enters one replica where it is, if it is still wanted, may be there and fits.

    Rules among replicas decide where one may start, not whether it stays (`IgnoredDuringExecution`).
    """
    groups, need = ledger.groups, ledger.intake.needs[workload]
    if need.identity in ledger.intake.refused or ledger.count(workload) >= need.replicas:
        return False
    kind, shape = int(groups.kinds[node]), int(groups.shape_of[workload])
    refusal = groups.refusals[kind][workload]
    if refusal not in (None, Constraint.READY) or not (runs or ledger.allows(workload, node)):
        return False
    slot = _slot(ledger, shape, node, devices)
    if slot is None:
        return False
    ledger.enter(workload, slot)
    return True


def _slot(ledger: Ledger, shape: int, node: int, wanted: tuple[int, ...]) -> Slot | None:
    """Room on the node, on the devices that it is known to hold if they are free; None where there is none.

    A cordoned node is not `allowed`, so room is looked at here and not by score.
    """
    nodes, shapes = ledger.nodes, ledger.groups.shapes
    if (nodes.states.free[nodes.number[node]] < shapes.request[shape]).any():
        return None
    count, milli, free = int(shapes.count[shape]), int(shapes.milli[shape]), nodes.devices[node]
    if not count:
        return Slot(node, 0)
    enough = [device for device, left in enumerate(free) if left >= milli]
    if len(enough) < count:
        return None
    if len(set(wanted)) == count and set(wanted) <= set(enough):
        chosen = list(wanted)
    else:
        chosen = sorted(enough, key=lambda device: (free[device], device))[:count]
    return Slot(node, sum(1 << device for device in chosen))
