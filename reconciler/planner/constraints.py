"""What binds replicas of one workload in a search: counts over its nodes, as plain lists, since its steps are tiny.

The rules are those of `topology`. What differs is that a search also takes replicas away, all those of a few nodes at
once. So a hard spread is held against the emptiest domain as it was before the round, and looked at again when the
round is over.
"""

from dataclasses import dataclass, field

from reconciler.planner.allowances import Allowance


@dataclass(slots=True, eq=False)
class Even:
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

    def broken(self, domain: int, count: int) -> bool:
        """Whether so many in the domain are too many for those that have yet to start there."""
        return self.coming[domain] > 0 and count - self.least > self.skew

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
class Tally:
    """Pods of one watch, or those that keep them away: in the `domain` of each node (-1: none), and in all."""

    domain: list[int]
    counts: list[int]
    total: int
    evens: list[Even] = field(default_factory=list)

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
class Constraints:
    """What binds the replicas of one workload: they are `told` in these tallies; in their domain there may be nothing
    of `apart`, and must be something of `beside`, or nothing anywhere where they match it themselves."""

    told: list[Tally]
    apart: list[Tally]
    beside: list[tuple[Tally, int]]
    even: list[tuple[Tally, Even]]
    request: list[int]
    limits: list[Allowance | None] | None  # of the pool of each node
    quota: Allowance | None

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
        return all(allowance.left(self.request) > 0 for allowance in self.allowances(node))

    def starts(self, node: int) -> bool:
        """Whether spreads let those start that have yet to, all being as it is."""
        at = ((tally, even, tally.domain[node]) for tally, even in self.even)
        return not any(domain >= 0 and even.broken(domain, tally.counts[domain]) for tally, even, domain in at)

    def allowances(self, node: int) -> list[Allowance]:
        """What a replica there counts against."""
        allowances = (None if self.limits is None else self.limits[node], self.quota)
        return [allowance for allowance in allowances if allowance is not None]

    def change(self, node: int, sign: int, runs: bool) -> None:
        """A replica, that `runs` there or has yet to, comes to the node, or leaves it where `sign` is -1."""
        for tally in self.told:
            tally.add(node, sign)
        if not runs:
            for tally, even in self.even:
                if (domain := tally.domain[node]) >= 0:
                    even.coming[domain] += sign
        for allowance in self.allowances(node):
            allowance.add(self.request, sign)


class Round:
    """What was changed since `keep` or `undo`."""

    def __init__(self) -> None:
        self._log: list[tuple[Constraints, int, int, bool]] = []

    def change(self, binding: Constraints, node: int, sign: int, runs: bool) -> None:
        """As `Constraints.change`."""
        binding.change(node, sign, runs)
        self._log.append((binding, node, sign, runs))

    def sound(self) -> bool:
        """Whether no replica is left where it could not start, and no allowance exceeded by more than before."""
        for binding, node, sign, _ in self._log:
            if sign > 0 and any(allowance.exceeded for allowance in binding.allowances(node)):
                return False
            for tally in binding.told:
                domain = tally.domain[node]
                for even in tally.evens:
                    if even.least < even.before:  # then it may be broken anywhere
                        if even.beyond - even.least > even.skew:
                            return False
                        if any(even.broken(each, count) for each, count in enumerate(tally.counts)):
                            return False
                    elif sign > 0 and domain >= 0 and even.broken(domain, tally.counts[domain]):
                        return False
        return True

    def keep(self) -> None:
        for binding, node, _, _ in self._log:
            for allowance in binding.allowances(node):
                allowance.keep()
            for tally in binding.told:
                for even in tally.evens:
                    even.before = even.least
        self._log.clear()

    def undo(self) -> None:
        for binding, node, sign, runs in reversed(self._log):
            binding.change(node, -sign, runs)
        self._log.clear()
