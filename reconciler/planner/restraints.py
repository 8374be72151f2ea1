"""What a search must keep beside room: rules among replicas, the limits of pools, quotas.

Counts over the nodes of one search, as plain lists, since its steps are tiny. The rules are those of `topology`. What
differs is that a search also takes replicas away, all those of a few nodes at once. So a hard spread is held against
the emptiest domain as it was before the round, and looked at again when the round is over; what a required affinity
leans on stays where it is; and what already breaks a rule where it runs stays there too, for it could not come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from reconciler.model.plan import Constraint
from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.purses import Purse
from reconciler.planner.states import Ints
from reconciler.planner.topology import Rule


@dataclass(slots=True, eq=False)
class _Even:
    """A hard spread of one workload. `least` replicas are in the emptiest of the `counted` domains, and were `before`
    the round. By domain, `coming` are its own replicas that do not run there: they have yet to start under the rule.
    Of domains beyond the search, `beyond` is the most crowded one where some are.
    """

    skew: int
    matches: int
    counted: list[bool]
    coming: list[int]
    levels: dict[int, int]  # how many counted domains have so many
    least: int
    beyond: int
    before: int = 0

    def shift(self, domain: int, old: int, new: int) -> None:
        """The count of the domain has changed by one."""
        if not self.counted[domain]:
            return
        self.levels[old] -= 1
        self.levels[new] = self.levels.get(new, 0) + 1
        if new < self.least:
            self.least = new
        while not self.levels.get(self.least):
            self.least += 1


@dataclass(slots=True, eq=False)
class _Tally:
    """Pods of one watch, or those that keep them away: in the `domain` of each node (-1: none), and in all."""

    domain: list[int]
    counts: list[int]
    total: int
    evens: list[_Even] = field(default_factory=list)

    def add(self, node: int, sign: int) -> None:
        domain = self.domain[node]
        if domain < 0:
            return
        self.total += sign
        old = self.counts[domain]
        self.counts[domain] = old + sign
        for even in self.evens:
            even.shift(domain, old, old + sign)


@dataclass(slots=True, eq=False)
class Bond:
    """What binds the replicas of one workload: they are `told` in these tallies; in their domain there may be nothing
    of `apart`, and must be something of `beside`, or nothing anywhere where they match it themselves."""

    told: list[_Tally]
    apart: list[_Tally]
    beside: list[tuple[_Tally, int]]
    even: list[tuple[_Tally, _Even]]
    request: list[int]
    limits: list[Purse | None] | None  # of the pool of each node
    quota: Purse | None

    def admits(self, node: int, stays: bool) -> bool:
        """Whether one replica more may be there; `stays`: it runs there, and has not been anywhere else meanwhile."""
        for tally in self.apart:
            domain = tally.domain[node]
            if domain >= 0 and tally.counts[domain]:
                return False
        for tally, matches in self.beside:
            domain = tally.domain[node]
            if domain < 0 or not (tally.counts[domain] or (matches and not tally.total)):
                return False
        if stays:  # neither a spread nor a limit drives out what runs
            return True
        for tally, even in self.even:
            domain = tally.domain[node]
            if domain < 0 or tally.counts[domain] + even.matches - max(even.least, even.before) > even.skew:
                return False
        return all(purse.left(self.request) > 0 for purse in self.purses(node))

    def purses(self, node: int) -> list[Purse]:
        """What a replica there is paid from."""
        purses = (None if self.limits is None else self.limits[node], self.quota)
        return [purse for purse in purses if purse is not None]

    def change(self, node: int, sign: int, runs: bool) -> None:
        """A replica, that `runs` there or has yet to, comes to the node, or leaves it where `sign` is -1."""
        for tally in self.told:
            tally.add(node, sign)
        if not runs:
            for tally, even in self.even:
                if (domain := tally.domain[node]) >= 0:
                    even.coming[domain] += sign
        for purse in self.purses(node):
            purse.add(self.request, sign)


class Restraints:
    """Of one search over `nodes`, which it numbers anew. A round is what is changed until `keep` or `undo`."""

    def __init__(self, ledger: Ledger, kept: Kept, nodes: Sequence[int]) -> None:
        self._ledger, self._kept = ledger, kept
        self._topology, self._watches = ledger.topology, ledger.topology.watches
        self._nodes = np.array(nodes, np.int64)
        self._local: dict[str, tuple[list[int], Ints]] = {}
        self._tallies: dict[tuple[int, bool], _Tally] = {}
        self._evens: dict[tuple[int, int], _Even] = {}
        self._bonds: dict[int, Bond | None] = {}
        self._log: list[tuple[Bond, int, int, bool]] = []
        self._spreading: dict[int, list[tuple[int, Rule]]] = {}
        self._leaned_on: set[int] = set()
        for workload, need in enumerate(ledger.intake.needs):
            for rule in self._topology.hard(workload) if need.replicas else ():
                if rule.constraint is Constraint.SPREAD:
                    self._spreading.setdefault(rule.watch, []).append((workload, rule))
                elif rule.constraint is Constraint.AFFINITY:
                    self._leaned_on.add(rule.watch)
        self._purses: dict[int, Purse] = {}
        limits = [self._copied(ledger.limit(node)) for node in nodes]
        self._limits = limits if any(limits) else None

    def bond(self, workload: int) -> Bond | None:
        """None where nothing binds it."""
        if workload not in self._bonds:
            self._bonds[workload] = self._bond(workload)
        return self._bonds[workload]

    def stuck(self, workload: int, node: int, *, runs: bool) -> bool:
        """Whether a replica that is on the node must stay there."""
        if self._leaned_on and not self._leaned_on.isdisjoint(self._topology.counted(workload)):
            return True
        bond = self.bond(workload)
        if bond is None or not runs or not (bond.apart or bond.beside):
            return False
        bond.change(node, -1, True)
        back = bond.admits(node, True)
        bond.change(node, 1, True)
        return not back

    def change(self, bond: Bond, node: int, sign: int, runs: bool) -> None:
        """As `Bond.change`, as a part of the round."""
        bond.change(node, sign, runs)
        self._log.append((bond, node, sign, runs))

    def sound(self) -> bool:
        """Whether the round leaves no replica where it could not start, and no purse overdrawn by more than it was."""
        for bond, node, sign, _ in self._log:
            if sign > 0 and any(purse.overdrawn for purse in bond.purses(node)):
                return False
            for tally in bond.told:
                for even in tally.evens:
                    if even.least < even.before:
                        most = max((n for n, own in zip(tally.counts, even.coming, strict=True) if own), default=0)
                        if max(most, even.beyond) - even.least > even.skew:
                            return False
                    elif sign > 0:
                        domain = tally.domain[node]
                        if domain >= 0 and even.coming[domain] and tally.counts[domain] - even.least > even.skew:
                            return False
        return True

    def keep(self) -> None:
        for bond, node, _, _ in self._log:
            for purse in bond.purses(node):
                purse.keep()
            for tally in bond.told:
                for even in tally.evens:
                    even.before = even.least
        self._log.clear()

    def undo(self) -> None:
        for bond, node, sign, runs in reversed(self._log):
            bond.change(node, -sign, runs)
        self._log.clear()

    def _bond(self, workload: int) -> Bond | None:
        topology, watches = self._topology, self._watches
        told, apart, even = [], [], []
        beside: list[tuple[_Tally, int]] = []
        for watch in topology.counted(workload):
            told.append(self._tally(watch, away=False))
            if watches.kept_away(watch) and not watches.private(watch, workload):
                apart.append(self._tally(watch, away=True))
        for watch in topology.carrying(workload):
            if not watches.private(watch, workload):
                told.append(self._tally(watch, away=True))
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
        return Bond(told, apart, beside, even, self._ledger.request(workload), self._limits, quota)

    def _copied(self, purse: Purse | None) -> Purse | None:
        """One copy of each, which the search may change."""
        return None if purse is None else self._purses.setdefault(id(purse), purse.copy())

    def _tally(self, watch: int, *, away: bool) -> _Tally:
        """Made before any replica that counts has changed its place."""
        found = self._tallies.get((watch, away))
        if found is None:
            local, numbers = self._domains(watch)
            counts = self._watches.away(watch) if away else self._watches.counts(watch)
            if counts is None:
                counts = np.zeros(self._watches.size(watch), np.int64)
            found = _Tally(local, counts[numbers].tolist(), int(counts.sum()))
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

    def _even(self, workload: int, rule: Rule, counts: Ints, numbers: Ints) -> _Even:
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
        return _Even(
            rule.skew, int(rule.matches), np.isin(numbers, domains).tolist(), coming[numbers].tolist(),
            dict(enumerate(levels.tolist())), least, int(counts[beyond].max(initial=0)), least,
        )  # fmt: skip
