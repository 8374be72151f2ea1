"""Why a replica has no place: the binding constraint in words, and the smallest change that would fix it."""

from collections import Counter

import numpy as np

from reconciler.model.cluster_view import NodeView
from reconciler.model.plan import Constraint, Unplaced
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.admission import intolerable, zone
from reconciler.planner.grouping import CPU, EPHEMERAL, MEMORY, PODS
from reconciler.planner.ledger import Ledger
from reconciler.planner.states import DEVICE, Bools, Ints
from reconciler.plural import counted

_MEBI = 1 << 20


class Reasons:
    """Of what workloads lack in the ledger as it stands; it must not change meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        free = ledger.nodes.free
        self._free = [np.ascontiguousarray(free[:, resource]) for resource in range(free.shape[1])]
        self._full: dict[int, tuple[Constraint, str, str]] = {}  # by what is asked for

    def unplaced(self, workload: int) -> Unplaced | None:
        """None where it lacks nothing."""
        need = self._ledger.intake.needs[workload]
        missing = need.replicas - self._ledger.count(workload)
        if missing <= 0 and need.identity not in self._ledger.intake.refused:
            return None
        constraint, reason, fix = self._why(workload, need)
        return Unplaced(max(missing, 0), constraint, reason, fix)

    def _why(self, workload: int, need: WorkloadNeed) -> tuple[Constraint, str, str]:
        ledger, groups = self._ledger, self._ledger.groups
        shape = int(groups.shape_of[workload])
        known = self._full.get(int(ledger.asks[shape]))
        if known is not None and ledger.quota_left(workload) > 0:
            return known
        if need.identity in ledger.intake.refused:
            return Constraint.INPUT, ledger.intake.refused[need.identity], "state an amount that a node can have"
        if not ledger.intake.nodes:
            return Constraint.NO_NODES, "there are no nodes", "add a node, or a pool that may grow"
        allowed: Bools = groups.shapes.allowed[groups.kinds, shape]
        if not allowed.any():
            return _refused(ledger, workload, need)
        large = _large(ledger, shape)
        if not (allowed & large).any():
            return _too_large(ledger, shape, allowed)
        if ledger.quota_left(workload) <= 0:
            space = need.identity.namespace
            return Constraint.QUOTA, f"the quota of namespace {space} is used up", f"raise the quota of {space}"
        room = ledger.room(shape)
        if not room.any():
            found = self._full[int(ledger.asks[shape])] = self._nearest(shape, allowed & large)
            return found
        pools = ledger.open_pools(workload)
        if pools is not None and not (room & pools).any():
            names = sorted({groups.places[place].pool for place in groups.place_of[room]})
            reason = f"only pool {', '.join(names)} has room, and its limit is reached"
            return Constraint.LIMIT, reason, f"raise the limit of pool {names[0]}"
        return _ruled_out(ledger, workload, room)

    def _nearest(self, shape: int, usable: Bools) -> tuple[Constraint, str, str]:
        """All are full: the node that lacks least, in shares of what is asked for, the first of equals."""
        ledger, shapes = self._ledger, self._ledger.groups.shapes
        request, count, milli = shapes.request[shape], int(shapes.count[shape]), int(shapes.milli[shape])
        short = np.where(usable, 0.0, np.inf)
        for free, asked in zip(self._free, request.tolist(), strict=True):
            if asked:
                short += np.maximum(asked - free, 0) / asked
        if count:
            short += np.maximum(count - ledger.nodes.with_free(milli), 0) / count
        node = int(short.argmin())
        enough = int(ledger.nodes.with_free(milli)[node]) if count else 0
        lacks = _lacks(np.array([free[node] for free in self._free]), request, enough, count)
        name, short_of = ledger.intake.nodes[node].name, _spelled(ledger, lacks)
        share = "" if milli in (0, DEVICE) else f" ({milli} thousandths each)"
        reason = (
            f"all {int(usable.sum())} nodes that it may use are too full; {name} comes nearest and lacks {short_of}"
        )
        return (
            Constraint.CAPACITY,
            f"{reason}{share}",
            f"free {short_of} on {name}, ask for as much less, or add a node like it",
        )


def _refused(ledger: Ledger, workload: int, need: WorkloadNeed) -> tuple[Constraint, str, str]:
    """No node may be used at all. The refusals come in a fixed order, so the latest one is the nearest to a fix."""
    groups = ledger.groups
    per_kind = np.bincount(groups.kinds, minlength=len(groups.members))
    counts: Counter[Constraint] = Counter()
    refusals = groups.refusals[int(groups.admission_of[workload])]
    for kind, refusal in enumerate(refusals):
        if refusal is not None:
            counts[refusal] += int(per_kind[kind])
    constraint = max(counts, key=list(Constraint).index)
    member = next(member for member, refusal in zip(groups.members, refusals, strict=True) if refusal is constraint)
    said = ", ".join(f"{count} by {refusal.value}" for refusal, count in sorted(counts.items()))
    reason = f"of {len(ledger.intake.nodes)} nodes none may be used: {said}"
    return constraint, reason, _opening(constraint, need, member)


def _opening(constraint: Constraint, need: WorkloadNeed, node: NodeView) -> str:
    if constraint is Constraint.POOL:
        return f"no node is in pool {need.pool}: label nodes for it, or let it grow"
    if constraint is Constraint.ZONE:
        wanted = ", ".join(sorted(need.volume_zones or need.zones))
        what = "its volumes are" if need.volume_zones else "it is to be"
        return f"{what} in {wanted}: add nodes there (such as {node.name} are in {zone(node) or 'no zone'})"
    if constraint is Constraint.TAINT:
        return f"tolerate {intolerable(need, node)}, as on {node.name}"
    if constraint is Constraint.MODEL:
        return f"allow GPU model {node.gpu_model or 'of any sort'}, as on {node.name}"
    if constraint is Constraint.READY:
        return f"make {node.name} ready and schedulable again"
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(need.node_selector.items()))
    return f"label a node {wanted}" if wanted else f"widen the required node affinity, so that it matches {node.name}"


def _large(ledger: Ledger, shape: int) -> Bools:
    """Nodes where one replica fits once nothing else is there."""
    groups = ledger.groups
    enough = (groups.classes.capacity >= groups.shapes.request[shape]).all(axis=1)
    large: Bools = (enough & (groups.classes.gpus >= groups.shapes.count[shape]))[groups.kinds]
    return large


def _too_large(ledger: Ledger, shape: int, allowed: Bools) -> tuple[Constraint, str, str]:
    groups = ledger.groups
    request, kinds = groups.shapes.request[shape], np.unique(groups.kinds[allowed])
    count = int(groups.shapes.count[shape])
    lacks = [_lacks(groups.classes.capacity[kind], request, int(groups.classes.gpus[kind]), count) for kind in kinds]
    nearest = min(range(len(kinds)), key=lambda index: (sum(_shares(lacks[index], request, count)), index))
    member = groups.members[kinds[nearest]]
    short = _spelled(ledger, lacks[nearest])
    return (
        Constraint.SIZE,
        f"no node that it may use is large enough: even an empty {member.name} lacks {short}",
        f"ask for {short} less, or add nodes that have as much more than {member.name}",
    )


def _lacks(free: Ints, request: Ints, gpus: int, count: int) -> Ints:
    """What is missing of each resource, GPUs last."""
    return np.append(np.maximum(request - free, 0), max(count - gpus, 0))


def _shares(lacks: Ints, request: Ints, count: int) -> list[float]:
    return [float(lack) / max(float(asked), 1.0) for lack, asked in zip(lacks, [*request.tolist(), count], strict=True)]


def _spelled(ledger: Ledger, lacks: Ints) -> str:
    parts = []
    for name, amount in zip([*ledger.groups.resources, "GPU"], lacks.tolist(), strict=True):
        if amount and name == CPU:
            parts.append(f"{amount}m cpu")
        elif amount and name in (MEMORY, EPHEMERAL):
            parts.append(f"{-(-amount // _MEBI)}Mi {name}")
        elif amount:
            parts.append(counted(amount, "pod") if name == PODS else f"{amount} {name}")
    return " and ".join(parts) or "nothing"


def _ruled_out(ledger: Ledger, workload: int, room: Bools) -> tuple[Constraint, str, str]:
    """There is room, but a rule among replicas forbids each node that has some: the rule that closes the last ones."""
    left = room.copy()
    for constraint, part in ledger.topology.parts(workload):
        left &= part
        if not left.any():
            return (
                constraint,
                f"{int(room.sum())} nodes have room, and {constraint.value} rules them all out",
                _RULE[constraint],
            )
    return Constraint.CAPACITY, "room was left only after others were placed", "plan again"


_RULE = {
    Constraint.ANTI_AFFINITY: "add a node in a domain of its own, or make the anti-affinity preferred",
    Constraint.AFFINITY: "add room beside the pods that it wants to be with, or make the affinity preferred",
    Constraint.SPREAD: "add room in the emptiest domain, raise maxSkew, or use whenUnsatisfiable: ScheduleAnyway",
}
