"""A review as a comment: the verdict, the dangers, what changes; the rest to unfold. As long as a forge takes."""

from typing import Final

from reconciler.diff.views import markdown
from reconciler.diff.views.markdown import LIMIT, code, fence, plain
from reconciler.diff.views.summary import sentence
from reconciler.model.review import Risk
from reconciler.model.review_rules import Level
from reconciler.plural import counted
from reconciler.review.review import Review
from reconciler.review.views import beside
from reconciler.review.views.summary import TITLES, between, by_code, headline

_SHOWN: Final = 20  # of one code; the others are counted
_SIGNS: Final = {Level.BLOCK: "⛔", Level.WARN: "⚠️"}
_PART: Final = 3  # the dangers and the detail each get at most a third of the room


def render(review: Review, *, limit: int = LIMIT) -> str:
    """In at most `limit` characters. What did not fit is counted."""
    text = f"## {plain(headline(review))}\n\n"
    text += _dangers(review, limit // _PART)
    room = limit // (4 * _PART)
    tail = _images(review, room) + _planned(review, room) + _order(review, room) + _anyway(review, room)
    tail += f"\n<sub>{plain(between(review))}</sub>\n"
    changes = markdown.render(review.effects.merged, review.problems, limit=max(0, limit - len(text) - len(tail)))
    return text + changes + tail


def _dangers(review: Review, room: int) -> str:
    text, cut = "", 0
    for kind, level, risks in by_code(review.risks):
        head = f"**{_SIGNS[level]} {TITLES[kind]}** ({code(kind)})\n\n"
        lines = [_danger(risk) for risk in risks[:_SHOWN]]
        if len(risks) > _SHOWN:
            lines.append(f"- and {len(risks) - _SHOWN} more\n")
        for line in (head, *lines):
            if len(text) + len(line) > room:
                cut += 1
            else:
                text += line
        text += "\n"
    return text + (f"_Cut for length: {counted(cut, 'line')} on dangers._\n\n" if cut else "")


def _danger(risk: Risk) -> str:
    place = f" ({code(str(risk.origin))})" if risk.origin is not None else ""
    return f"- {code(str(risk.identity))}: {plain(risk.message)}{place}\n"


def _images(review: Review, room: int) -> str:
    lines = beside.images(review)
    builds = sum(change.builds for change in review.images)
    title = f"Images: {builds} would be built" if builds else "Images"
    return _folded(title, lines, room) if lines else ""


def _planned(review: Review, room: int) -> str:
    if review.unplanned:
        return f"\n_Nothing is planned anew: {plain(review.unplanned)}._\n"
    lines = beside.decisions(review)
    found = review.decisions
    if found is None or not lines:
        return ""
    cost = f", {found.after - found.before:+.2f} a month" if found.before != found.after else ""
    return _folded(f"Planned otherwise: {counted(len(found.changed), 'workload')}{cost}", lines, room)


def _order(review: Review, room: int) -> str:
    steps = review.order
    if len(steps) < 2:
        return ""
    lines = [f"{number}. {', '.join(map(str, step))}" for number, step in enumerate(steps, 1)]
    return _folded(f"Order of application, {counted(len(steps), 'step')}", lines, room)


def _anyway(review: Review, room: int) -> str:
    anyway = review.effects.anyway
    if not anyway:
        return ""
    lines = [f"{change.identity}: {change.reason}" for change in anyway]
    return _folded(f"Happens without this merge, too: {sentence(anyway)}", lines, room)


def _folded(title: str, lines: list[str], room: int) -> str:
    shown: list[str] = []
    used = len(title) + 100
    for line in lines:
        used += len(line) + 1
        if used > room:
            shown.append(f"… and {len(lines) - len(shown)} more")
            break
        shown.append(line)
    return f"\n<details><summary>{plain(title)}</summary>\n{fence(chr(10).join(shown))}</details>\n"
