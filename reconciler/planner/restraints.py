"""What a search must keep beside room: rules among replicas, the limits of pools, quotas.

What a required affinity leans on stays where it is; and what already breaks a rule where it runs stays there too, for
it could not come back.
"""

from collections.abc import Sequence

import numpy as np

from reconciler.model.plan import Constraint
from reconciler.planner.allowances import Allowance
from reconciler.planner.constraints import Constraints, Even, Tally
from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.rules import Rule
from reconciler.planner.shapes import Ints


class Restraints:
    """Of one search over `nodes`, which it numbers anew."""

    def __init__(self, ledger: Ledger, kept: Kept, nodes: Sequence[int]) -> None:
        self._ledger, self._kept = ledger, kept
        self._topology, self._watches = ledger.topology, ledger.topology.watches
        self._nodes = np.array(nodes, np.int64)
        self._local: dict[str, tuple[list[int], Ints]] = {}
        self._tallies: dict[tuple[int, bool], Tally] = {}
        self._evens: dict[tuple[int, int], Even] = {}
        self._known: dict[int, Constraints | None] = {}
        self._spreading: dict[int, list[tuple[int, Rule]]] = {}
        for workload, rule in self._topology.hard_rules():
            if rule.constraint is Constraint.SPREAD:
                self._spreading.setdefault(rule.watch, []).append((workload, rule))
        self._allowances: dict[int, Allowance] = {}
        limits = [self._copied(ledger.limit(node)) for node in nodes]
        self._limits = limits if any(limits) else None

    def of(self, workload: int) -> Constraints | None:
        """None where nothing binds it."""
        if workload not in self._known:
            self._known[workload] = self._made(workload)
        return self._known[workload]

    def stuck(self, workload: int, node: int, *, runs: bool) -> bool:
        """Whether a replica that is on the node must stay there."""
        if self._topology.leaned_on(workload):
            return True
        binding = self.of(workload) if runs else None
        if binding is None or not (binding.apart or binding.beside):
            return False
        binding.change(node, -1, True)
        back = binding.admits(node, True)
        binding.change(node, 1, True)
        return not back

    def _made(self, workload: int) -> Constraints | None:
        topology, watches = self._topology, self._watches
        told, apart, even = [], [], []
        beside: list[tuple[Tally, int]] = []
        for watch in topology.counted(workload):
            told.append(self._tally(watch, away=False))
            if watches.kept_away(watch) and not watches.private(watch, workload):
                apart.append(self._tally(watch, away=True))
        carrying = (watch for watch in topology.carrying(workload) if not watches.private(watch, workload))
        told += [self._tally(watch, away=True) for watch in carrying]
        for rule in topology.hard(workload):
            tally = self._tally(rule.watch, away=False)
            if rule.constraint is Constraint.ANTI_AFFINITY:
                apart.append(tally)
            elif rule.constraint is Constraint.AFFINITY:
                beside.append((tally, int(rule.matches)))
            else:
                even.append((tally, self._evens[workload, id(rule)]))
        quota = self._copied(self._ledger.quota(workload))
        if not (told or apart or beside or even or self._limits or quota):
            return None
        return Constraints(told, apart, beside, even, self._ledger.request(workload), self._limits, quota)

    def _copied(self, allowance: Allowance | None) -> Allowance | None:
        """One copy of each, which the search may change."""
        return None if allowance is None else self._allowances.setdefault(id(allowance), allowance.copy())

    def _tally(self, watch: int, *, away: bool) -> Tally:
        """Made before any replica that counts has changed its place."""
        found = self._tallies.get((watch, away))
        if found is None:
            local, numbers = self._domains(watch)
            counts = self._watches.away(watch) if away else self._watches.counts(watch)
            if counts is None:
                counts = np.zeros(self._watches.size(watch), np.int64)
            found = Tally(local, counts[numbers].tolist(), int(counts.sum()))
            self._tallies[watch, away] = found
            for workload, rule in self._spreading.get(watch, ()) if not away else ():
                even = self._evens[workload, id(rule)] = self._even(workload, rule, counts, numbers)
                found.evens.append(even)
        return found

    def _domains(self, watch: int) -> tuple[list[int], Ints]:
        """The domain of each node, numbered over these nodes alone, and the number that each has over all."""
        key = self._watches.key(watch)
        if key not in self._local:
            numbers, local = np.unique(self._watches.domain(watch)[self._nodes], return_inverse=True)
            none = int(len(numbers) > 0 and numbers[0] < 0)
            self._local[key] = (local.reshape(-1) - none).tolist(), numbers[none:]
        return self._local[key]

    def _even(self, workload: int, rule: Rule, counts: Ints, numbers: Ints) -> Even:
        domains = rule.domains if rule.domains is not None else np.zeros(0, np.int64)
        nodes, held = self._ledger.holdings.arrays(workload)
        running = self._kept.running_of(workload)
        comes = held - np.minimum(held, [running.get(node, 0) for node in nodes.tolist()]).astype(np.int64)
        coming, at = np.zeros(len(counts) + 1, np.int64), self._watches.domain(rule.watch)[nodes]
        np.add.at(coming, at, comes)  # -1 is the last
        beyond = coming[:-1] > 0
        beyond[numbers] = False
        levels = np.bincount(counts[domains])
        least = int(counts[domains].min()) if len(domains) else 0
        return Even(
            rule.skew, int(rule.matches), np.isin(numbers, domains).tolist(), coming[numbers].tolist(),
            dict(enumerate(levels.tolist())), least, int(counts[beyond].max(initial=0)), least,
        )  # fmt: skip
