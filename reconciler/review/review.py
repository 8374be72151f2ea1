"""The whole answer to "what would this merge do?", as one value that views show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.engine.graph import rank
from reconciler.engine.surroundings import Desired
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.problem import Problem, Severity
from reconciler.model.review import Risk, Verdict
from reconciler.model.review_rules import Level, ReviewRules
from reconciler.model.snapshot import Revision
from reconciler.review.building import ImageChange
from reconciler.review.decisions import Decisions
from reconciler.review.effects import Effects

_DONE = (Action.CREATE, Action.UPDATE, Action.ADOPT, Action.REPLACE, Action.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class Review:
    """Of one source. `against` says in words what the head was compared with beside the base.

    `wanted` is what the merge would make true; None in one that is only kept to be shown. `images` would be built or
    mean something else; `decisions` are the planner's, None where nobody plans; `unplanned` says why not, where
    somebody should. `problems` are the head's, `inherited` those of them that the base has, too: these are not the
    merge's. `rules` are the base's.
    """

    source: str
    base: Revision
    head: Revision
    against: str
    effects: Effects
    problems: tuple[Problem, ...]
    inherited: frozenset[Problem]
    risks: tuple[Risk, ...]
    rules: ReviewRules
    wanted: Desired | None
    images: tuple[ImageChange, ...] = ()
    decisions: Decisions | None = None
    unplanned: str = ""

    @property
    def verdict(self) -> Verdict:
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            return Verdict.INVALID
        levels = {risk.level for risk in self.risks}
        if Level.BLOCK in levels:
            return Verdict.BLOCK
        return Verdict.WARN if levels or self.problems else Verdict.PASS

    @property
    def order(self) -> tuple[tuple[Identity, ...], ...]:
        """What is applied, in steps: each waits for those before it that it depends on. Deletions come after all."""
        return steps(self.effects.merged)


def steps(changes: Iterable[Change]) -> tuple[tuple[Identity, ...], ...]:
    """`changes` that are applied, by how many others each has to wait for, one after the other."""
    waits: dict[Identity, tuple[Identity, ...]] = {}
    for change in changes:
        if change.manifest is not None and change.action in _DONE:
            waits[change.identity] = (*change.manifest.depends_on, *change.manifest.after)
    levels = _levels({identity: [i for i in needed if i in waits] for identity, needed in waits.items()})
    found: dict[int, list[Identity]] = {}
    for identity, level in levels.items():
        found.setdefault(level, []).append(identity)
    return tuple(
        tuple(sorted(found[level], key=lambda identity: (rank(identity), identity))) for level in sorted(found)
    )


def _levels(waits: Mapping[Identity, list[Identity]]) -> dict[Identity, int]:
    """0 for what waits for nothing, else one more than the highest that it waits for. Loops are cut anywhere."""
    levels: dict[Identity, int] = {}
    for start in sorted(waits):
        stack = [start]
        open_: set[Identity] = set()
        while stack:
            identity = stack[-1]
            if identity in levels:
                stack.pop()
                continue
            open_.add(identity)
            missing = [other for other in waits[identity] if other not in levels and other not in open_]
            if missing:
                stack.extend(missing)
            else:
                levels[identity] = max((levels[other] + 1 for other in waits[identity] if other in levels), default=0)
                stack.pop()
    return levels
