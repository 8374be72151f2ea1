"""Nodes, what runs, and what is asked for → Plan. Pure: no clock, no randomness but the policy's seed.

    take in → group → keep what stays → pool program (what is scarce) → place → search, where something waits → explain

Imports numpy and the solver: import this module only when there is something to plan.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from reconciler.model.cluster_view import NodeView, PodView, Quota
from reconciler.model.plan import IDENTITY, Constraint, Plan
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy, TermName
from reconciler.planner import worth
from reconciler.planner.anew import weigh_anew
from reconciler.planner.book import Book, book_of, planned, unchanged
from reconciler.planner.grouping import PODS, Groups, amounts_of, group
from reconciler.planner.holdings import Holdings, Standing
from reconciler.planner.intake import Intake, safe_amounts, safe_gpu, take_in
from reconciler.planner.keeping import Kept, Limits, at_once, homes, own_pods, settle
from reconciler.planner.ledger import Ledger
from reconciler.planner.outcome import Outcome
from reconciler.planner.packing import Nodes, Scarcity, sizes
from reconciler.planner.placing import Placer, order
from reconciler.planner.pool_lp import merged
from reconciler.planner.quotas import NamespaceQuota, exceeded, quotas_of
from reconciler.planner.rescue import rescue, rounds
from reconciler.planner.scoring import Noted, Scorer
from reconciler.planner.shapes import Floats, Ints
from reconciler.planner.states import States
from reconciler.planner.topology import Topology
from reconciler.planner.weighing import reweighed, weighing, weighings

LOOKS = 64  # at how full the zones are, while many workloads are placed


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing of a plan is a cycle, and to look for some among all that a process holds would take a tenth of it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_uncollected()
def plan(
    nodes: Iterable[NodeView],
    running: Iterable[PodView],
    workloads: Iterable[WorkloadNeed],
    pools: Iterable[Pool] = (),
    policy: Policy | None = None,
    previous: Plan = IDENTITY,
    quotas: Iterable[Quota] = (),
) -> Plan:
    """Where each replica is to be, and why; what has no place, and why not.

    What runs and what `previous` had found stays where it may; more room never places less than before. The order of
    the inputs changes nothing, and the same input gives the same bytes. It never fails on what it is given: what cannot
    be meant is noted or left without a place.

    `quotas` are the cluster's ResourceQuotas, beside those of the policy. They count the pods of others too.

    `previous` counts with its `assignment`, `decisions`, `unplaced` and `weighs`. Its `book` saves work where inputs
    are the very objects that they were; with or without it the same bytes come out.
    """
    policy = policy or Policy()
    book = book_of(previous)
    intake = take_in(nodes, running, workloads, pools, book.known)
    groups = group(intake, book.keyed)
    before = planned(intake, book, previous.assignment)
    weighs = {need.identity: need.weighs for need in intake.needs if need.weighs is not None}
    anew = reweighed(intake.needs, previous.weighs, weighs)
    ledger, kept, taken = _opened(intake, groups, policy, before, quotas_of(intake, groups, policy.quotas, quotas))
    worths = worth.weights(intake.needs)
    scorer = Scorer(intake, groups, ledger.nodes, ledger.topology, ledger.holdings, weighings(intake.needs, policy))
    placer = Placer(ledger, scorer)
    again = [n for n, need in enumerate(intake.needs) if (anew[n] or need.renewed) and ledger.count(n)]
    if any(ledger.has_room(int(groups.shape_of[number])) for number in (*again, *ledger.wanting())):
        _foresee(ledger, scorer)
    noted = weigh_anew(ledger, placer, kept, order(ledger, again, sizes(groups.classes, groups.shapes).tolist()))
    _place(ledger, scorer, placer, kept, noted)
    let_in = {intake.needs[number].identity for number in ledger.wanting()}
    waited = {
        identity: lack.count
        for identity, lack in previous.unplaced.items()
        if lack.count and not (lack.constraint is Constraint.QUOTA and identity in let_in)  # its quota was raised
    }
    waiting = {intake.needs[number].identity: ledger.missing(number) for number in ledger.lacking()}
    if waiting != waited:  # else the search before had no answer for them either
        more = sum(max(count - waited.get(identity, 0), 0) for identity, count in waiting.items())
        most = rounds(policy, len(intake.nodes), more, first=not previous.assignment)
        rescue(ledger, kept, worths, policy, most, waited)
        _place(ledger, scorer, placer, kept, noted)  # where it made room
    value = float(ledger.counts @ np.array(worths, np.float64))
    same = unchanged(intake, groups.fresh, book, before, kept.homes, ledger.holdings)
    now = ledger.holdings.standing()
    outcome = Outcome(ledger, scorer, kept, previous, same, anew)
    found = outcome.told(noted, value, max(worth.bound(ledger, taken, worths), value))
    identities, told = tuple(need.identity for need in intake.needs), (found.assignment, found.placements)
    return replace(found, weighs=weighs, book=Book(intake.known, groups.keyed, identities, intake.at, *told, now))


def _opened(
    intake: Intake, groups: Groups, policy: Policy, before: Standing, quotas: Mapping[str, NamespaceQuota]
) -> tuple[Ledger, Kept, Floats]:
    """The book with everybody's pods in it that stay, what was kept, and what others have taken."""
    states = States(groups.classes, groups.shapes, weighing(policy).states)
    nodes = Nodes(states, groups.kinds)
    own, others = own_pods(intake)
    free = _left_by_others(groups, nodes, others)
    taken = worth.taken(groups, free, nodes.devices)
    kept = homes(own, before, len(intake.nodes))
    rows = at_once(intake, groups, kept, free, _limits(intake, groups, kept, quotas))
    holdings = Holdings(kept.homes.where(rows))
    stayed = holdings.standing()
    request = groups.shapes.request[groups.shape_of[stayed.workloads()]] * stayed.counts[:, None]
    np.subtract.at(free, stayed.nodes, request)
    nodes.settle(free)
    topology = Topology(intake.nodes, intake.needs, others, groups, holdings)
    ledger = Ledger(intake, groups, nodes, topology, holdings, quotas)
    states.expect(ledger.demand.astype(np.int64))
    settle(ledger, own, kept, rows)
    return ledger, kept, taken


def _left_by_others(groups: Groups, nodes: Nodes, others: Iterable[tuple[PodView, int]]) -> Ints:
    """What pods of others leave of each node (nodes × resources); their devices are reserved."""
    pods = groups.resources.index(PODS)
    known: dict[object, list[int]] = {}
    rows, where = [], []
    for pod, node in others:
        request = known.get(pod.requests)
        if request is None:
            request = known[pod.requests] = amounts_of(safe_amounts(pod.requests), groups.resources)
            request[pods] = 1
        rows.append(request)
        where.append(node)
        if pod.gpu.count:
            gpu = safe_gpu(pod.gpu)
            nodes.reserve(node, pod.devices or nodes.emptiest(node, gpu.count, gpu.milli), gpu.milli)
    free = groups.classes.capacity[groups.kinds]
    if rows:
        np.subtract.at(free, where, np.array(rows, np.int64))
    left: Ints = np.maximum(free, 0)
    return left


def _limits(intake: Intake, groups: Groups, kept: Kept, quotas: Mapping[str, NamespaceQuota]) -> Limits:
    limited = np.array([*(pool.limits is not None for pool in intake.pools), False], np.bool_)
    return Limits(exceeded(intake, groups, quotas, kept.homes.totals()), limited[np.array(intake.of_pool, np.int64)])


def _place(ledger: Ledger, scorer: Scorer, placer: Placer, kept: Kept, noted: dict[int, list[Noted]]) -> None:
    """What lacks a place, as far as there is room."""
    groups = ledger.groups
    open_ = [number for number in ledger.wanting() if ledger.has_room(int(groups.shape_of[number]))]
    while open_:
        before, looked = int(ledger.counts.sum()), -1
        for turn, workload in enumerate(order(ledger, open_, sizes(groups.classes, groups.shapes).tolist())):
            if turn % max(len(open_) // LOOKS, 1) == 0 and looked != (now := int(ledger.counts.sum())):
                scorer.look()  # most of what waits waits in vain, and changes nothing
                looked = now
            noted.setdefault(workload, []).extend(placer.place(workload, kept.homeless_of(workload)))
        placed = int(ledger.counts.sum()) > before
        open_ = [number for number in ledger.lacking() if placed and ledger.topology.leans(number)]


def _foresee(ledger: Ledger, scorer: Scorer) -> None:
    """What is scarce, for the mix that is asked for: once a plan, since all of it is known."""
    groups = ledger.groups
    if not scorer.heeds(TermName.SCARCITY) or not len(groups.members) or not len(groups.shapes.request):
        return
    alike = merged(groups.classes, groups.shapes, groups.kinds)
    scarcity = Scarcity(alike.classes, alike.shapes, alike.nodes, once=True)
    if not scarcity.matters:
        return
    scarcity.expect(ledger.demand, ledger.nodes.room(), alike.sums(ledger.placed.astype(np.float64)))
    scorer.foresee(scarcity.term()[:, alike.of])
