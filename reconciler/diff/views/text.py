"""A plan for the terminal: what needs attention stands last, next to the prompt."""

import io
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Final

from rich.console import Console
from rich.text import Text

from reconciler.diff.views.fields import lines, visible
from reconciler.diff.views.summary import SIGNS, ordered, sentence
from reconciler.model.change import Action, Change
from reconciler.model.problem import Problem, Severity

_STYLES: Final = {
    Action.REFUSE: "bold red",
    Action.HOLD: "bold yellow",
    Action.PRUNE: "red",
    Action.REPLACE: "red",
    Action.ADOPT: "cyan",
    Action.UNCONFIRMED: "cyan",
    Action.UPDATE: "yellow",
    Action.CREATE: "green",
    Action.KEEP: "dim",
}
_SIGN_STYLES: Final = {"+": "green", "-": "red", "~": "yellow", "=": "dim", " ": "dim"}


def render(changes: Sequence[Change], problems: Sequence[Problem] = (), *, color: bool = False) -> str:
    """One line an object, its fields below it, the problems, and the counts at the end. Lines are never wrapped."""
    out = io.StringIO()
    console = Console(
        file=out,
        color_system="standard" if color else None,
        force_terminal=color,
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in _lines(changes, problems):
        console.print(line)
    return out.getvalue()


def _lines(changes: Sequence[Change], problems: Sequence[Problem]) -> Iterator[Text]:
    for _action, same in groupby(ordered(changes, calm_first=True), key=lambda change: change.action):
        run = list(same)
        width = max(len(visible(str(change.identity))) for change in run)
        for change, following in zip_longest(run, run[1:]):
            yield from _change(change, width)
            if change.hint and (following is None or following.hint != change.hint):
                yield Text(f"    hint: {visible(change.hint)}", "dim")
    for problem in sorted(problems, key=lambda problem: (problem.severity is Severity.ERROR, problem.location)):
        style = "bold red" if problem.severity is Severity.ERROR else "yellow"
        first, *rest = problem.lines()
        yield Text(visible(first), style)
        yield from (Text(visible(line), "dim") for line in rest)
    yield Text(sentence(changes, problems), "bold")


def _change(change: Change, width: int) -> Iterator[Text]:
    head = Text(f"{SIGNS[change.action]} {visible(str(change.identity)):<{width}}", _STYLES[change.action])
    if change.action is Action.CREATE and change.manifest is not None:  # the sign says that it is new, this says why
        head.append(f"  {visible(str(change.manifest.origin))}", "not bold dim default")
    else:
        head.append(f"  {visible(change.reason)}", "default")
    yield head
    for field in change.fields:
        for line in lines(field):
            became = "" if line.became is None else " → ".join(line.became)
            yield Text(f"    {line.sign} {line.text}{became}{line.note}".rstrip(), _SIGN_STYLES[line.sign])
