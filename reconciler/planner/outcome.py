"""What was decided, as a Plan: from the numbers of the book to names, and why."""

from collections.abc import Mapping
from itertools import islice

from reconciler.model.plan import Decision, Move, Place, Plan, Share
from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.reasons import Reasons
from reconciler.planner.scoring import Noted, Scorer
from reconciler.planner.shapes import Bools


class Outcome:
    """Of workloads that are `unchanged` the plan before tells the same, so that its words are taken; of those that
    are weighed `anew` none of its reasons are."""

    def __init__(
        self, ledger: Ledger, scorer: Scorer, kept: Kept, previous: Plan, unchanged: Bools, anew: Bools
    ) -> None:
        self._ledger, self._scorer, self._kept, self._previous = ledger, scorer, kept, previous
        self._unchanged, self._anew = unchanged.tolist(), anew.tolist()
        self._names = [node.name for node in ledger.intake.nodes]

    def told(self, noted: Mapping[int, list[Noted]], value: float, bound: float) -> Plan:
        decided = iter(self._scorer.decisions([each for made in noted.values() for each in made]))
        decisions = {workload: list(islice(decided, len(made))) for workload, made in noted.items()}
        needs, previous, reasons = self._ledger.intake.needs, self._previous, Reasons(self._ledger)
        placements, assignment, why, waiting = {}, {}, {}, {}
        moves: list[Move] = []
        touched = {*self._kept.homeless, *self._ledger.holdings.opened}
        for workload, need in enumerate(needs):
            made, name = decisions.get(workload, []), need.identity
            if self._unchanged[workload]:
                shares, nodes = previous.placements[name], previous.assignment[name]
            else:
                shares, nodes = self._shares(workload)
            known = previous.decisions.get(name, ()) if not self._anew[workload] else ()
            if not self._unchanged[workload] or made or not known:
                known = self._explained(workload, made, shares, known)
            placements[name], assignment[name], why[name] = shares, nodes, known
            if (lack := reasons.unplaced(workload)) is not None:
                waiting[name] = lack
            if workload in touched:
                moves += self._moves(workload)
        return Plan(
            placements=placements,
            assignment=assignment,
            decisions=why,
            unplaced=waiting,
            moves=tuple(moves),
            value=value,
            bound=bound,
            notes=self._ledger.intake.notes,
        )

    def _shares(self, workload: int) -> tuple[tuple[Share, ...], dict[str, int]]:
        """Where its replicas are, by place and by node."""
        nodes, counts = self._ledger.holdings.arrays(workload)
        held = dict(zip(nodes.tolist(), counts.tolist(), strict=True))
        shares: dict[Place, int] = {}
        for node, count in held.items():
            where = self._scorer.place(node)
            shares[where] = shares.get(where, 0) + count
        by_node = {self._names[node]: count for node, count in held.items()}
        return tuple(Share(where, count) for where, count in sorted(shares.items())), by_node

    def _explained(
        self, workload: int, made: list[Decision], shares: tuple[Share, ...], before: tuple[Decision, ...]
    ) -> tuple[Decision, ...]:
        """Decisions for its places: made now, or by the plan before; where there are none, told by how one looks."""
        known: dict[Place, Decision] = {}
        for decision in (*made, *before):
            known.setdefault(decision.chosen.place, decision)
        if not known and shares:
            known = self._looked_at(workload, shares)
        return tuple(known[share.place] for share in shares if share.place in known)

    def _looked_at(self, workload: int, shares: tuple[Share, ...]) -> dict[Place, Decision]:
        """The first place in which its last replica could be chosen again."""
        ledger, scorer = self._ledger, self._scorer
        for share in shares:
            node = next(node for node in sorted(ledger.held(workload)) if scorer.place(node) == share.place)
            slot = ledger.slots(workload, node)[-1]
            ledger.strike(workload, slot)
            noted = scorer.note(workload, node, None, {node: 1}) if ledger.fits(workload, node) else None
            ledger.enter(workload, slot)
            if noted is not None:
                return {share.place: scorer.decisions([noted])[0]}
        return {}

    def _moves(self, workload: int) -> list[Move]:
        """Running replicas that are to be elsewhere, paired with where replicas come that did not run there."""
        need, names = self._ledger.intake.needs[workload], self._names
        running, counts = self._kept.running_of(workload), self._ledger.held(workload)
        leaving = [node for node, count in sorted(running.items()) for _ in range(count - counts.get(node, 0))]
        surplus = max(sum(running.values()) - need.replicas, 0)  # fewer are asked for: they end, they do not move
        leaving = leaving[surplus:]
        coming = [node for node, count in sorted(counts.items()) for _ in range(count - running.get(node, 0))]
        targets = [names[node] for node in coming] + [""] * len(leaving)
        return [Move(need.identity, names[node], target) for node, target in zip(leaving, targets, strict=False)]
