"""What stands in the comment under a pull request, and beside its commit."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from reconciler.daemon.reviews.consent import Consent
from reconciler.daemon.reviews.difference import Compared
from reconciler.daemon.reviews.reviewer import Reviewed, Synced
from reconciler.diff.views.markdown import code, plain
from reconciler.errors import ReconcilerError
from reconciler.forge.comment import fit
from reconciler.forge.forge import Pull
from reconciler.model.review import Verdict
from reconciler.plural import counted

AFTER: Final = "\n<!-- reconciler-review-after -->\n"
"""Between the plan, which stays, and what became of it."""
_HEAD: Final = "## "
_GRAVEST: Final = tuple(reversed(Verdict))
_SHOWN: Final = 30  # objects that are other than planned


def comment(
    reviews: Mapping[str, Reviewed], failed: Mapping[str, ReconcilerError], consent: Consent, pull: Pull, limit: int
) -> str:
    """In at most `limit` characters. `reviews` are by source: each has a part of its own, those that `failed` first,
    then the gravest; where nothing happens a line is enough."""
    tail = f"{_approvals(consent)}{_footer(pull)}"
    loud, quiet = _sorted(reviews)
    shown: dict[str, Callable[[int], str]] = {source: partial(_failure, error) for source, error in failed.items()}
    shown |= {source: reviews[source].markdown for source in loud}
    if len(reviews) + len(failed) == 1:
        (only,) = shown.values() or (reviews[quiet[0]].markdown,)
        return only(limit - len(tail) - 10).rstrip("\n") + tail
    if quiet:
        tail = f"\n\nNothing to do for {', '.join(map(code, quiet))}.{tail}"
    room = (limit - len(tail)) // max(1, len(shown)) - 150  # a source has a short name
    parts = [f"{_HEAD}{plain(each)}: {part(room).removeprefix(_HEAD)}".rstrip("\n") for each, part in shown.items()]
    return "\n\n".join(parts or [f"{_HEAD}Nothing to do"]) + tail


def status(reviews: Mapping[str, Reviewed], failed: Mapping[str, ReconcilerError], consent: Consent) -> str:
    """One line: what is not known or missing first, then the gravest."""
    if failed:
        (source, error), *others = failed.items()
        alone = not others and not reviews
        rest = f", nor {counted(len(others), 'other source')}" if others else ""
        return f"{'it' if alone else source} could not be planned{rest}: {error.what}"
    if consent.missing:
        names = ", ".join(dict.fromkeys(demand.code for demand in consent.missing))
        return f"waits for approval of {names}"
    if len(reviews) == 1:
        (only,) = reviews.values()
        return only.summary
    loud, quiet = _sorted(reviews)
    parts = [f"{each}: {reviews[each].summary}" for each in loud]
    return "; ".join(parts + ([f"nothing to do for {counted(len(quiet), 'source')}"] if quiet else []))


def _sorted(reviews: Mapping[str, Reviewed]) -> tuple[list[str], list[str]]:
    """The sources to which something happens, the gravest first, and the others."""
    quiet = [source for source, r in reviews.items() if r.verdict is Verdict.PASS and not r.promise.merged]
    loud = [source for source in reviews if source not in quiet]
    return sorted(loud, key=lambda source: _GRAVEST.index(reviews[source].verdict)), quiet


def _failure(error: ReconcilerError, limit: int) -> str:
    """In place of a plan."""
    lines = "\n".join(f"> {plain(line)}" for line in error.diagnostics())
    return fit(f"{_HEAD}Not planned\n\n{lines}\n", limit)


class Result(NamedTuple):
    """Of one source. `synced` is None where its sync has not ended, `compared` where nobody knows what was planned;
    `error` says why it is not known."""

    source: str
    synced: Synced | None
    compared: Compared | None
    error: ReconcilerError | None = None


def after(text: str, commit: str, results: Sequence[Result], limit: int) -> str:
    """The comment `text` with what became of the merge, in place of what was said of that before."""
    lines = [f"### After the merge\n\nMerged as {code(commit[:12])}."]
    lines += [f"{f'{plain(each.source)}: ' if len(results) > 1 else ''}{_result(each, commit)}" for each in results]
    said = "\n\n".join(lines) + "\n"
    return f"{fit(text.partition(AFTER)[0], limit - len(said) - len(AFTER) - 1)}{AFTER}\n{said}"


def _result(result: Result, commit: str) -> str:
    synced = result.synced
    if result.error is not None:
        return f"Its sync could not be looked at: {plain(result.error.advised)}. It is tried again."
    if synced is None:
        return "Its sync has not ended yet."
    done = _counts(synced.done) or "nothing to do"
    later = f" with {code(synced.commit[:12])}" if synced.commit != commit else ""
    if synced.ok:
        text = f"✅ Applied{later}: {done}."
    else:
        text = f"❌ Not all of it could be applied: {done}; {counted(synced.failed, 'object')} failed.\n"
        text += "".join(f"\n- {plain(message)}" for message in synced.messages)
    return f"{text}\n\n{_difference(result.compared)}"


def _difference(compared: Compared | None) -> str:
    if compared is None:
        return "What was planned is not known any more."
    found = compared.differences
    rest = f" {counted(compared.unknown, 'object')} could not be compared." if compared.unknown else ""
    if not found:
        return f"As it was planned, object by object: {compared.alike}.{rest}"
    lines = [
        f"- {code(str(each.identity))}: {plain(each.what)}{f' ({plain(each.why)})' if each.why else ''}\n"
        for each in found[:_SHOWN]
    ]
    lines += [f"- and {len(found) - _SHOWN} more\n"] if len(found) > _SHOWN else []
    head = f"⚠️ Other than planned: {counted(len(found), 'object')}; as planned: {compared.alike}.{rest}"
    return f"{head}\n\n{''.join(lines)}".rstrip("\n")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {action}" for action, count in counts.items() if count)


def _approvals(consent: Consent) -> str:
    if not consent.demands:
        return "\n"
    lines = []
    for demand in consent.demands:
        names = ", ".join(map(code, demand.given or demand.approvers))
        said = f"approved by {names}" if demand.given else f"waits for the approval of {names}"
        if demand.own and not demand.given:
            said += f"; that of {', '.join(map(code, demand.own))} does not count here: it is their own change"
        lines.append(f"- {'✅' if demand.given else '⏳'} {code(demand.code)} {said}")
    return "\n\n**Approvals**\n\n" + "\n".join(lines) + "\n"


def _footer(pull: Pull) -> str:
    fork = " The head lies in a fork: it was planned offline, without a look at the cluster." if pull.fork else ""
    return f"\n<sub>Planned anew when either branch moves; write `/plan` to have it done now.{fork}</sub>\n"
