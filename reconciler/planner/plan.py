"""Nodes, what runs, and what is asked for → Plan. Pure: no clock, no randomness but the policy's seed.

    take in → group → keep what stays → pool program (what is scarce) → place → search, where something waits → explain

Imports numpy and the solver: import this module only when there is something to plan.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import NodeView, PodView
from reconciler.model.plan import IDENTITY, Decision, Move, Place, Plan, Share
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy, TermName
from reconciler.model.usage import Usage
from reconciler.planner import worth
from reconciler.planner.grouping import Groups, amounts_of, group
from reconciler.planner.intake import Intake, take_in
from reconciler.planner.keeping import Kept, keep, own_pods
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Nodes, Scarcity, sizes
from reconciler.planner.placing import order, place
from reconciler.planner.reasons import unplaced
from reconciler.planner.rescue import rescue
from reconciler.planner.scoring import Scorer, state_weights
from reconciler.planner.states import Floats, States
from reconciler.planner.topology import Topology


def plan(
    nodes: Iterable[NodeView],
    running: Iterable[PodView],
    workloads: Iterable[WorkloadNeed],
    usage: Usage | None = None,  # noqa: ARG001 - read by the steps that choose replicas and requests
    pools: Iterable[Pool] = (),
    policy: Policy | None = None,
    previous: Plan = IDENTITY,
) -> Plan:
    """Where each replica is to be, and why; what has no place, and why not.

    What runs and what `previous` had found stays where it may; more room never places less than before. The order of
    the inputs changes nothing, and the same input gives the same bytes. It never fails on what it is given: what cannot
    be meant is noted or left without a place.
    """
    policy = policy or Policy()
    intake = take_in(nodes, running, workloads, pools)
    groups = group(intake)
    ledger, ours = _ledger(intake, groups, policy)
    kept = keep(ledger, ours, previous.assignment)
    taken = _taken_by_others(ledger)
    worths = worth.weights(intake.needs)
    scorer = Scorer(intake, groups, ledger.nodes, ledger.topology, policy)
    _foresee(ledger, scorer, policy)
    decisions: dict[int, list[Decision]] = {}
    for workload in order(ledger, sizes(groups.classes, groups.shapes).tolist()):
        if intake.needs[workload].identity not in intake.refused:
            decisions[workload] = place(ledger, scorer, workload, kept.homeless[workload].copy())
    if _waiting(ledger) != {identity: lack.count for identity, lack in previous.unplaced.items() if lack.count}:
        rescue(ledger, kept, worths, policy)  # else the search before had no answer for them either
    value = sum(worths[workload] * ledger.count(workload) for workload in range(len(intake.needs)))
    return _report(ledger, scorer, kept, decisions, previous, value, max(worth.bound(ledger, taken, worths), value))


def _ledger(intake: Intake, groups: Groups, policy: Policy) -> tuple[Ledger, list[tuple[int, PodView, int]]]:
    """The book with everybody else's pods in it, and our own pods, which are not yet."""
    states = States(groups.classes, groups.shapes, state_weights(policy))
    nodes = Nodes(states, groups.kinds)
    ours, others = own_pods(intake)
    eligible = groups.eligible[groups.kinds].T if len(groups.kinds) else np.zeros((len(intake.needs), 0), np.bool_)
    topology = Topology(intake.nodes, intake.needs, others, eligible)
    pods = groups.resources.index("pods")
    for pod, node in others:
        request = np.array(amounts_of(pod.requests, groups.resources), np.int64)
        request[pods] = 1
        devices = pod.devices or nodes.emptiest(node, pod.gpu.count, pod.gpu.milli)
        nodes.reserve(node, request, devices, pod.gpu.milli)
    states.expect(_demand(intake, groups).astype(np.int64))
    return Ledger(intake, groups, nodes, topology, policy), ours


def _demand(intake: Intake, groups: Groups) -> Floats:
    """Replicas of each shape that are asked for."""
    replicas = np.array([need.replicas for need in intake.needs], np.float64)
    demand: Floats = np.zeros(len(groups.shapes.request))
    np.add.at(demand, groups.shape_of, replicas)
    return demand


def _waiting(ledger: Ledger) -> dict[Identity, int]:
    """Replicas without a place, by workload."""
    lacking = {need.identity: need.replicas - ledger.count(number) for number, need in enumerate(ledger.intake.needs)}
    return {identity: count for identity, count in lacking.items() if count > 0}


def _foresee(ledger: Ledger, scorer: Scorer, policy: Policy) -> None:
    """What is scarce, for the mix that is asked for: once a plan, since all of it is known."""
    groups = ledger.groups
    if not policy.weight(TermName.SCARCITY) or not len(groups.members) or not len(groups.shapes.request):
        return
    scarcity = Scarcity(groups.classes, groups.shapes, groups.kinds)
    if not scarcity.matters:
        return
    placed = np.zeros((len(groups.members), len(groups.shapes.request)))
    for workload, slots in enumerate(ledger.slots):
        for node, held in slots.items():
            placed[groups.kinds[node], groups.shape_of[workload]] += len(held)
    scarcity.expect(_demand(ledger.intake, groups), ledger.nodes.room(), placed)
    scorer.scarcity = scarcity.term()


def _taken_by_others(ledger: Ledger) -> Floats:
    """Of each class, without our own replicas."""
    groups = ledger.groups
    taken = worth.taken(ledger.nodes)
    for workload, slots in enumerate(ledger.slots):
        shape = int(groups.shape_of[workload])
        for node, held in slots.items():
            kind = int(groups.kinds[node])
            capacity = np.maximum(groups.classes.capacity[kind], 1)
            taken[kind, :-1] -= len(held) * groups.shapes.request[shape] / capacity
            taken[kind, -1] -= len(held) * groups.shapes.gpu[shape] / 1000
    floor: Floats = np.maximum(taken, 0.0)
    return floor


def _report(
    ledger: Ledger, scorer: Scorer, kept: Kept, decisions: Mapping[int, list[Decision]], previous: Plan, value: float,
    bound: float,
) -> Plan:  # fmt: skip
    names = [node.name for node in ledger.intake.nodes]
    placements: dict[Identity, tuple[Share, ...]] = {}
    assignment: dict[Identity, dict[str, int]] = {}
    why: dict[Identity, tuple[Decision, ...]] = {}
    waiting = {}
    moves: list[Move] = []
    for workload, need in enumerate(ledger.intake.needs):
        counts = {node: len(slots) for node, slots in sorted(ledger.slots[workload].items())}
        shares: dict[Place, int] = {}
        for node, count in counts.items():
            shares[scorer.place(node)] = shares.get(scorer.place(node), 0) + count
        placements[need.identity] = tuple(Share(where, count) for where, count in sorted(shares.items()))
        assignment[need.identity] = {names[node]: count for node, count in counts.items()}
        why[need.identity] = _explained(ledger, scorer, workload, decisions.get(workload, []), shares, previous)
        if (lack := unplaced(ledger, workload)) is not None:
            waiting[need.identity] = lack
        moves += _moves(need, kept, workload, counts, names)
    return Plan(
        placements=placements,
        assignment=assignment,
        decisions=why,
        unplaced=waiting,
        moves=tuple(moves),
        value=value,
        bound=bound,
        notes=ledger.intake.notes,
    )


def _explained(
    ledger: Ledger, scorer: Scorer, workload: int, made: list[Decision], shares: Mapping[Place, int], previous: Plan
) -> tuple[Decision, ...]:
    """Decisions for its places: made now, or by the plan before; if there is none, told by how one place looks now."""
    known = {decision.chosen.place: decision for decision in made}
    for decision in previous.decisions.get(ledger.intake.needs[workload].identity, ()):
        known.setdefault(decision.chosen.place, decision)
    found = []
    for where in sorted(shares):
        if where not in known and not known:
            node = next(node for node in sorted(ledger.slots[workload]) if scorer.place(node) == where)
            slot = ledger.slots[workload][node][-1]
            ledger.strike(workload, slot)
            here = ledger.on_nodes(workload)
            homes = np.zeros_like(here)
            homes[node] = 1
            if ledger.fits(workload, node):
                known[where] = Decision(scorer.option(workload, node, here, homes), None)
            ledger.enter(workload, slot)
        if where in known:
            found.append(known[where])
    return tuple(found)


def _moves(need: WorkloadNeed, kept: Kept, workload: int, counts: Mapping[int, int], names: list[str]) -> list[Move]:
    """Running replicas that are to be elsewhere, paired with where replicas come that did not run there."""
    running = kept.running[workload]
    leaving = [
        node for node in np.flatnonzero(running).tolist() for _ in range(int(running[node]) - counts.get(node, 0))
    ]
    surplus = max(int(running.sum()) - need.replicas, 0)  # fewer are asked for: they end, they do not move
    leaving = leaving[surplus:]
    coming = [node for node, count in sorted(counts.items()) for _ in range(count - int(running[node]))]
    targets = [names[node] for node in coming] + [""] * len(leaving)
    return [Move(need.identity, names[node], target) for node, target in zip(leaving, targets, strict=False)]
