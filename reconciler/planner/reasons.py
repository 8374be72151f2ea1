"""Why a replica has no place: the binding constraint in words, and the smallest change that would fix it."""

from collections import Counter

import numpy as np

from reconciler.model.cluster_view import NodeView
from reconciler.model.plan import Constraint, Unplaced
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.admission import intolerable, zone
from reconciler.planner.grouping import CPU, EPHEMERAL, MEMORY, PODS
from reconciler.planner.ledger import Ledger
from reconciler.planner.obstacles import Obstacle, Obstacles, another_would_do, either
from reconciler.planner.shapes import DEVICE, Bools, Ints
from reconciler.plural import counted

_MEBI = 1 << 20


class Reasons:
    """Of what workloads lack in the ledger as it stands; it must not change meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        free = ledger.nodes.free
        self._free = [np.ascontiguousarray(free[:, resource]) for resource in range(free.shape[1])]
        # By what is asked for, and whether another node would do, where all are full: the node that comes nearest, and
        # the answer if nothing closes it.
        self._full: dict[tuple[int, bool], tuple[int, tuple[Constraint, str, str]]] = {}

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
        if need.identity in ledger.intake.refused:
            return Constraint.INPUT, ledger.intake.refused[need.identity], "state an amount that a node can have"
        if not ledger.intake.nodes:
            return Constraint.NO_NODES, "there are no nodes", "add a node, or a pool that may grow"
        anew = another_would_do(ledger, workload)
        asked = int(ledger.asks[shape]), anew
        known = self._full.get(asked)
        if known is not None and ledger.allows(workload, known[0]):
            return known[1]
        allowed: Bools = groups.shapes.allowed[groups.kinds, shape]
        if not allowed.any():
            return _refused(ledger, workload, need)
        large = _large(ledger, shape)
        if not (allowed & large).any():
            return _too_large(ledger, shape, allowed)
        if known is None and not ledger.has_room(shape):
            node, found = self._full[asked] = self._lacking(shape, allowed & large, anew=anew)
            if ledger.allows(workload, node):
                return found
        return self._hindered(workload, shape, allowed & large)

    def _hindered(self, workload: int, shape: int, usable: Bools) -> tuple[Constraint, str, str]:
        """The node with least in the way: what that is, and what would take all of it away."""
        ledger, room = self._ledger, self._ledger.room(shape)
        obstacles = Obstacles(ledger, workload, usable, room)
        first = obstacles.first()
        if first.constraint is Constraint.CAPACITY:
            anew = another_would_do(ledger, workload)
            left = "that it may use" if obstacles.nearest.sum() == usable.sum() else "that nothing else closes"
            return self._lacking(shape, obstacles.nearest, left, anew=anew)[1]
        node, lacks = self._nearest(shape, obstacles.nearest & first.closed)
        standing = obstacles.at(node)
        if len(standing) == 1:
            return first.constraint, self._closed(first, obstacles, room, workload), either(obstacles.ways(first, node))
        name, said, ways = ledger.intake.nodes[node].name, [], []
        for each in standing:
            full = each.constraint is Constraint.CAPACITY
            said.append(f"capacity ({self._short_of(shape, lacks)})" if full else each.constraint.value)
            ways.append(f"free {_spelled(ledger, lacks)} on {name}" if full else obstacles.ways(each, node)[-1])
        said, ways = list(dict.fromkeys(said)), list(dict.fromkeys(ways))  # several may keep away in the same words
        verb = "are" if len(said) > 1 else "is"
        reason = f"{name} comes nearest, and there {' and '.join(said)} {verb} in the way"
        return first.constraint, reason, " and ".join(ways)

    def _closed(self, only: Obstacle, obstacles: Obstacles, room: Bools, workload: int) -> str:
        """What closes the nodes that have room."""
        groups = self._ledger.groups
        if only.constraint is Constraint.QUOTA:
            return self._used_up(workload)
        if (room & ~only.closed).any():
            return f"{int(room.sum())} nodes have room: {obstacles.said(room)}"
        if only.constraint is Constraint.LIMIT:
            names = sorted({groups.places[place].pool for place in groups.place_of[room]})
            return f"only pool {', '.join(names)} has room, and its limit is reached"
        return f"{int(room.sum())} nodes have room, and {only.constraint.value} rules them all out"

    def _used_up(self, workload: int) -> str:
        """The configuration's quota needs no name where it is the only one."""
        closing = self._ledger.closing(workload)
        which = f": {', '.join(map(str, closing))}" if any(each.name for each in closing) else ""
        return f"the quota of namespace {closing[0].namespace} is used up{which}"

    def _lacking(
        self, shape: int, usable: Bools, which: str = "that it may use", *, anew: bool
    ) -> tuple[int, tuple[Constraint, str, str]]:
        """All are full: the node that lacks least, and why; `which` says what they are in words, `anew` that another
        like it would do."""
        node, lacks = self._nearest(shape, usable)
        name, short_of = self._ledger.intake.nodes[node].name, self._short_of(shape, lacks)
        count = int(usable.sum())
        reason = f"all {count} nodes {which} are too full; {name} comes nearest and lacks {short_of}"
        if count == 1:
            reason = f"the only node {which} is too full: {name} lacks {short_of}"
        pods = lacks[self._ledger.groups.resources.index(PODS)]
        less = [] if pods else ["ask for as much less"]
        more = ["add a node like it"] if anew else []
        ways = [f"free {_spelled(self._ledger, lacks)} on {name}", *less, *more]
        return node, (Constraint.CAPACITY, reason, either(ways))

    def _short_of(self, shape: int, lacks: Ints) -> str:
        milli = int(self._ledger.groups.shapes.milli[shape])
        share = "" if milli in (0, DEVICE) or not lacks[-1] else f" ({milli} thousandths each)"
        return f"{_spelled(self._ledger, lacks)}{share}"

    def _nearest(self, shape: int, usable: Bools) -> tuple[int, Ints]:
        """The node that lacks least, in shares of what is asked for, the first of equals; and what it lacks."""
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
        return node, _lacks(np.array([free[node] for free in self._free]), request, enough, count)


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
