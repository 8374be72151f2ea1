"""A review for the terminal: what needs attention stands last, next to the prompt."""

from reconciler.diff.views import text
from reconciler.diff.views.fields import visible
from reconciler.diff.views.summary import sentence
from reconciler.review.review import Review
from reconciler.review.views import beside
from reconciler.review.views.summary import TITLES, between, by_code, headline


def render(review: Review, *, color: bool = False) -> str:
    """The changes with their fields, then the order, images, what is planned, the dangers and the verdict."""
    lines = []
    steps = review.order
    if len(steps) > 1:
        lines.append("order of application:")
        lines += [f"  {number}. {', '.join(map(str, step))}" for number, step in enumerate(steps, 1)]
    for title, found in (("images:", beside.images(review)), ("planned:", beside.decisions(review))):
        lines += [title, *(f"  {line}" for line in found)] if found else []
    if review.effects.anyway:
        lines.append(f"happens without this merge, too: {sentence(review.effects.anyway)}")
        lines += [f"  {change.identity}: {change.reason}" for change in review.effects.anyway]
    for kind, level, risks in reversed(by_code(review.risks)):
        lines.append(f"{level}: {TITLES[kind]} ({kind})")
        for risk in risks:
            place = f"  ({risk.origin})" if risk.origin is not None else ""
            lines.append(f"  {risk.identity}: {risk.message}{place}")
    lines += [between(review), headline(review)]
    below = "".join(f"{visible(line)}\n" for line in lines)
    return text.render(review.effects.merged, review.problems, color=color) + below
