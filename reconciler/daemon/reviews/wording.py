"""What stands in the comment under a pull request, and beside its commit."""

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.daemon.reviews.consent import Consent
from reconciler.daemon.reviews.reviewer import Reviewed, Synced
from reconciler.diff.views.markdown import code, plain
from reconciler.errors import ReconcilerError
from reconciler.forge.forge import Pull
from reconciler.plural import counted

AFTER: Final = "\n<!-- reconciler-review-after -->\n"
"""Between the plan, which stays, and what became of it."""


def comment(reviews: Sequence[Reviewed], consent: Consent, pull: Pull, limit: int) -> str:
    """In at most `limit` characters."""
    tail = f"{_approvals(consent)}{_footer(pull)}"
    room = (limit - len(tail)) // max(1, len(reviews)) - 10
    return "\n\n".join(reviewed.markdown(room).rstrip("\n") for reviewed in reviews) + tail


def status(reviews: Sequence[Reviewed], consent: Consent) -> str:
    """One line: what is missing first."""
    if consent.missing:
        names = ", ".join(dict.fromkeys(demand.code for demand in consent.missing))
        return f"waits for approval of {names}"
    return "; ".join(reviewed.summary for reviewed in reviews)


def failure(error: ReconcilerError, pull: Pull) -> str:
    """The comment where nothing could be planned."""
    lines = "\n".join(f"> {plain(line)}" for line in error.diagnostics())
    return f"## Not planned\n\n{lines}\n{_footer(pull)}"


def after(text: str, planned: Mapping[str, int], commit: str, results: Mapping[str, Synced | None]) -> str:
    """The comment `text` with what became of the merge, by source, in place of what was said of that before."""
    before = text.partition(AFTER)[0]
    many = len(results) > 1
    said = [f"{f'{plain(source)}: ' if many else ''}{_result(synced)}" for source, synced in results.items()]
    lines = [f"### After the merge\n\nMerged as {code(commit[:12])}.", *said]
    known = [synced for synced in results.values() if synced is not None]
    if known and len(known) == len(results) and all(synced.ok for synced in known):
        lines.append(_difference(planned, known))
    return f"{before}{AFTER}\n" + "\n\n".join(lines) + "\n"


def _result(synced: Synced | None) -> str:
    if synced is None:
        return "Its sync has not ended yet."
    done = _counts(synced.done) or "nothing to do"
    if synced.ok:
        return f"✅ Applied: {done}."
    text = f"❌ Not all of it could be applied: {done}; {counted(synced.failed, 'object')} failed.\n"
    return text + "".join(f"\n- {plain(message)}" for message in synced.messages)


def _difference(planned: Mapping[str, int], results: Sequence[Synced]) -> str:
    total: dict[str, int] = {}
    for synced in results:
        for action, count in synced.done.items():
            total[action] = total.get(action, 0) + count
    differing = [action for action in sorted({*planned, *total}) if planned.get(action, 0) != total.get(action, 0)]
    if not differing:
        return "As it was planned."
    found = [f"{action}: {planned.get(action, 0)} planned, {total.get(action, 0)} done" for action in differing]
    why = "" if all(synced.alone for synced in results) else " It was applied together with other commits."
    return f"⚠️ Other than planned: {', '.join(found)}.{why}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {action}" for action, count in counts.items() if count)


def _approvals(consent: Consent) -> str:
    if not consent.demands:
        return "\n"
    lines = []
    for demand in consent.demands:
        names = ", ".join(code(login) for login in demand.given or demand.approvers)
        said = f"approved by {names}" if demand.given else f"waits for the approval of {names}"
        lines.append(f"- {'✅' if demand.given else '⏳'} {code(demand.code)} {said}")
    return "\n\n**Approvals**\n\n" + "\n".join(lines) + "\n"


def _footer(pull: Pull) -> str:
    fork = " The head lies in a fork: it was planned offline, without a look at the cluster." if pull.fork else ""
    return f"\n<sub>Planned anew when either branch moves; write `/plan` to have it done now.{fork}</sub>\n"
