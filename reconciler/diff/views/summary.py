"""What all views share: the order of actions, their signs, and the sentence of counts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.model.change import Action, Change
from reconciler.model.problem import Problem, Severity
from reconciler.plural import counted

WORDS: Final = {
    Action.REFUSE: "refused",
    Action.HOLD: "held",
    Action.PRUNE: "to prune",
    Action.REPLACE: "to replace",
    Action.ADOPT: "to adopt",
    Action.UNCONFIRMED: "unconfirmed",
    Action.UPDATE: "to change",
    Action.CREATE: "to create",
    Action.KEEP: "kept",
    Action.NONE: "unchanged",
}  # what a person should see first comes first

SIGNS: Final = {
    Action.REFUSE: "x",
    Action.HOLD: "!",
    Action.PRUNE: "-",
    Action.REPLACE: "±",
    Action.ADOPT: ">",
    Action.UNCONFIRMED: "?",
    Action.UPDATE: "~",
    Action.CREATE: "+",
    Action.KEEP: "=",
    Action.NONE: " ",
}

_SPOKEN: Final = (
    Action.CREATE,
    Action.UPDATE,
    Action.REPLACE,
    Action.ADOPT,
    Action.PRUNE,
    Action.UNCONFIRMED,
    Action.KEEP,
    Action.HOLD,
    Action.REFUSE,
)
_RANK: Final = {action: rank for rank, action in enumerate(WORDS)}


def ordered(changes: Iterable[Change], *, calm_first: bool = False) -> list[Change]:
    """The changes that are worth showing: by action, what needs attention first (or last), then by identity."""
    turn = -1 if calm_first else 1
    shown = (change for change in changes if change.action is not Action.NONE)
    return sorted(shown, key=lambda change: (turn * _RANK[change.action], change.identity))


def counts(changes: Iterable[Change]) -> dict[Action, int]:
    """How many changes there are of each action, all actions named."""
    found = Counter(change.action for change in changes)
    return {action: found[action] for action in Action}


def sentence(changes: Sequence[Change], problems: Sequence[Problem] = ()) -> str:
    """`3 to create, 1 to change, 2 to prune, 1 held, 40 unchanged`."""
    found = counts(changes)
    parts = [f"{found[action]} {WORDS[action]}" for action in _SPOKEN if found[action]] or ["no changes"]
    if found[Action.NONE]:
        parts.append(f"{found[Action.NONE]} unchanged")
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    for number, word in ((errors, "error"), (len(problems) - errors, "warning")):
        if number:
            parts.append(counted(number, word))
    return ", ".join(parts)
