"""What was decided, as a Plan: from the numbers of the book to names, and why."""

from collections.abc import Mapping

from reconciler.kube.names import Identity
from reconciler.model.plan import Decision, Move, Place, Plan, Share
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.reasons import Reasons
from reconciler.planner.scoring import Scorer


def told(
    ledger: Ledger, scorer: Scorer, kept: Kept, decisions: Mapping[int, list[Decision]], previous: Plan, value: float,
    bound: float,
) -> Plan:  # fmt: skip
    names = [node.name for node in ledger.intake.nodes]
    placements: dict[Identity, tuple[Share, ...]] = {}
    assignment: dict[Identity, dict[str, int]] = {}
    why: dict[Identity, tuple[Decision, ...]] = {}
    waiting = {}
    moves: list[Move] = []
    reasons = Reasons(ledger)
    for workload, need in enumerate(ledger.intake.needs):
        nodes, held = ledger.holdings.arrays(workload)
        counts = dict(zip(nodes.tolist(), held.tolist(), strict=True))
        shares: dict[Place, int] = {}
        for node, count in counts.items():
            shares[scorer.place(node)] = shares.get(scorer.place(node), 0) + count
        placements[need.identity] = tuple(Share(where, count) for where, count in sorted(shares.items()))
        assignment[need.identity] = {names[node]: count for node, count in counts.items()}
        why[need.identity] = _explained(ledger, scorer, workload, decisions.get(workload, []), shares, previous)
        if (lack := reasons.unplaced(workload)) is not None:
            waiting[need.identity] = lack
        moves += _moves(need, kept.running_of(workload), counts, names)
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
            node = next(node for node in sorted(ledger.held(workload)) if scorer.place(node) == where)
            slot = ledger.slots(workload, node)[-1]
            ledger.strike(workload, slot)
            here = ledger.on_nodes(workload)
            if ledger.fits(workload, node):
                known[where] = Decision(scorer.options(workload, [node], here, {node: 1})[0], None)
            ledger.enter(workload, slot)
        if where in known:
            found.append(known[where])
    return tuple(found)


def _moves(need: WorkloadNeed, running: Mapping[int, int], counts: Mapping[int, int], names: list[str]) -> list[Move]:
    """Running replicas that are to be elsewhere, paired with where replicas come that did not run there."""
    leaving = [node for node, count in sorted(running.items()) for _ in range(count - counts.get(node, 0))]
    surplus = max(sum(running.values()) - need.replicas, 0)  # fewer are asked for: they end, they do not move
    leaving = leaving[surplus:]
    coming = [node for node, count in counts.items() for _ in range(count - running.get(node, 0))]
    targets = [names[node] for node in coming] + [""] * len(leaving)
    return [Move(need.identity, names[node], target) for node, target in zip(leaving, targets, strict=False)]
