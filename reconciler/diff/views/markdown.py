"""A plan as a comment on a pull request: danger first, fields collapsed, never longer than a forge takes."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from reconciler.diff.views.fields import lines, visible
from reconciler.diff.views.summary import WORDS, ordered, sentence
from reconciler.model.change import Change
from reconciler.model.problem import Problem, Severity
from reconciler.plural import counted

LIMIT: Final = 65_000  # characters; GitHub takes 65,536

_DIFF_SIGNS: Final = {"~": "!", "=": " "}  # what a forge colours in a diff
_RESERVE: Final = 400  # for the last sentence
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LINKING = re.compile(r"@|#|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_LIKE_A_COMMAND = re.compile("^(?=[/`~])", re.MULTILINE)


def render(
    changes: Sequence[Change], problems: Sequence[Problem] = (), *, decided: str = "", limit: int = LIMIT
) -> str:
    """The plan in at most `limit` characters; what did not fit is counted in the last line.

    `decided` says in lines what a planner chose.
    """
    shown = ordered(changes)
    text = f"### {sentence(changes, problems)}\n"
    cut_problems = cut_fields = cut_changes = 0
    room = limit - _RESERVE
    chosen = _decided(decided, room // 2)
    room -= len(chosen)
    for problem in sorted(problems, key=lambda problem: (problem.severity is not Severity.ERROR, problem.location)):
        block = fence("\n".join(map(visible, problem.lines())))
        if len(text) + len(block) > room:
            cut_problems += 1
        else:
            text += block
    for action, group in groupby(shown, key=lambda change: change.action):
        members = list(group)
        # Where there is only one kind of action, the sentence at the top is its heading already.
        heading = "\n" if len(members) == len(shown) else f"\n#### {len(members)} {WORDS[action]}\n\n"
        for change in members:
            for block in (_item(change), _line(change)):
                if len(text) + len(heading) + len(block) <= room:
                    text += heading + block
                    heading = ""
                    cut_fields += len(change.fields) if change.fields and "<details>" not in block else 0
                    break
            else:
                cut_changes += 1
    return text + chosen + _cut(cut_changes, cut_fields, cut_problems)


def _decided(decided: str, room: int) -> str:
    """What a planner chose, as a block that can be opened."""
    if not decided:
        return ""
    lines = fence("\n".join(map(visible, decided.split("\n"))))
    block = f"\n<details><summary>What the planner chose</summary>\n{lines}</details>\n"
    return block if len(block) <= room else "\n_What the planner chose has no room: `reconciler plan` shows it._\n"


def _item(change: Change) -> str:
    """A bullet; one that can be opened where there are fields to see."""
    if not change.fields:
        return _line(change)
    fields = fence("\n".join(_diff(change)), "diff")
    hint = f"  hint: {plain(change.hint)}\n" if change.hint else ""
    return f"<details><summary>{_summary(change)}</summary>\n{fields}{hint}</details>\n"


def _line(change: Change) -> str:
    hint = f"\n  hint: {plain(change.hint)}" if change.hint else ""
    return f"- {code(str(change.identity))}: {plain(change.reason)}{hint}\n"


def _summary(change: Change) -> str:
    """Inside a tag Markdown is not read everywhere, so this is HTML."""
    return f"<code>{_html(str(change.identity))}</code>: {_html(change.reason)}"


def _diff(change: Change) -> Iterator[str]:
    for field in change.fields:
        for line in lines(field):
            if line.became is None:
                yield f"{_DIFF_SIGNS.get(line.sign, line.sign)} {line.text}{line.note}".rstrip()
            else:
                yield f"- {line.text}{line.became[0]}"
                yield f"+ {line.text}{line.became[1]}{line.note}"


def fence(text: str, language: str = "") -> str:
    """A block of code. GitLab looks for commands (`/merge`) line by line and knows only plain fences: no line may begin
    like one or the other."""
    text = _LIKE_A_COMMAND.sub(" ", text)
    ticks = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"\n{fence}{language}\n{text}\n{fence}\n"


def code(text: str) -> str:
    return f"`{visible(text).replace('`', chr(39)) or ' '}`"


def plain(text: str) -> str:
    """Text that Markdown leaves alone; what stands between two backquotes stays code."""
    *pairs, last = re.split("`([^`]*)`", text.replace("\n", " "))
    shown = (code(part) if number % 2 else _escaped(part) for number, part in enumerate(pairs))
    return "".join(shown) + _escaped(last)


def _escaped(text: str) -> str:
    return _unlinked(_SPECIAL.sub(r"\\\1", visible(text)))


def _unlinked(text: str) -> str:
    """Nobody is called and nothing is linked. Forges look for names and addresses in what Markdown and HTML mean, so
    no escape keeps them from it; a comment in between does: https://github.com/github/cmark-gfm/issues/181"""
    return _LINKING.sub(r"\g<0><!-- -->", text)


def _html(text: str) -> str:
    return _unlinked(escape(visible(text), quote=False)).replace("](", "]&#40;")  # Markdown is read here and there


def _cut(changes: int, fields: int, problems: int) -> str:
    left_out = ((changes, "change"), (fields, "field"), (problems, "problem"))
    parts = [counted(number, noun) for number, noun in left_out if number]
    return f"\n_Cut for length: {', '.join(parts)}. `reconciler plan` shows everything._\n" if parts else ""
