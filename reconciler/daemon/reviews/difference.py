"""What a merge was announced to do, beside what became of it: object by object, with the reason where known. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.daemon.reviews.promise import Promise
from reconciler.daemon.reviews.reviewer import Synced
from reconciler.engine.image_documents import builds
from reconciler.kube.names import Identity
from reconciler.model.change import UNDONE, Action
from reconciler.model.deed import Deed
from reconciler.model.result import Outcome

_OTHERS: Final = "other commits, applied together with it, state it otherwise"
_SHOWN: Final = 5  # values of one object
_BESIDE_GIT: Final = {
    Action.CREATE: "drift: it was deleted beside Git",
    Action.UPDATE: "drift: it was changed beside Git",
    Action.PRUNE: "it was approved since",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` and `why` are clauses for people; `why` is "" where it is not known."""

    identity: Identity
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Compared:
    """`alike` counts objects of which what was announced happened; `unknown` those that cannot be compared."""

    differences: tuple[Difference, ...]
    alike: int
    unknown: int


def compare(promise: Promise, synced: Synced) -> Compared:
    """Of one source."""
    planned = {deed.identity: deed for deed in promise.merged}
    anyway = {deed.identity: deed for deed in promise.anyway}
    happened = {deed.identity: deed for deed in synced.deeds}
    differences: list[Difference] = []
    alike = unknown = 0
    for identity in sorted({*planned, *happened}):
        plan, deed = planned.get(identity), happened.get(identity)
        if plan is None and deed is not None:
            if promise.more:
                unknown += 1
                continue
            found = _unannounced(deed, anyway.get(identity), synced)
        elif plan is not None:
            if deed is None and synced.unlisted:
                unknown += 1
                continue
            found = _announced(plan, deed, synced)
            alike += found is None
        if found is not None:
            differences.append(found)
    return Compared(tuple(differences), alike, max(unknown, promise.more))


def together(passes: Iterable[tuple[Deed, ...]]) -> tuple[Deed, ...]:
    """What several passes over a merge did together: what is done stays done."""
    found: dict[Identity, Deed] = {}
    for deeds in passes:
        for deed in deeds:
            before = found.get(deed.identity)
            if before is None or before.outcome is not Outcome.DONE:
                found[deed.identity] = deed
            elif deed.outcome is Outcome.DONE:
                both = (*before.fields, *deed.fields) if before.fields and deed.fields else ()
                last = {**dict.fromkeys(both, ""), **before.becomes, **dict.fromkeys(deed.fields, ""), **deed.becomes}
                found[deed.identity] = before.with_fields({path: last[path] for path in both})
    return tuple(found.values())


def _announced(plan: Deed, deed: Deed | None, synced: Synced) -> Difference | None:
    identity, word = plan.identity, str(plan.action)
    if plan.action in UNDONE:
        if deed is None or deed.outcome is not Outcome.DONE:
            return None
        why = "it was approved, or is free now"
        return Difference(identity, f"{plan.action} announced, {deed.action} done", why)
    if deed is None:
        return Difference(identity, f"{word} announced, and nothing was done", _absent(plan, synced))
    if deed.outcome is not Outcome.DONE:
        return Difference(identity, f"{word} announced, and {deed.outcome}", deed.why)
    action = Action.CREATE if deed.action is Action.UNCONFIRMED else deed.action
    if action is not plan.action:
        return Difference(identity, f"{word} announced, {action} done", _by_others(identity, synced))
    if plan.fields and deed.fields and (fields := _fields(plan.fields, deed.fields)):
        return Difference(identity, fields, _by_others(identity, synced))
    if values := _values(plan.becomes, deed.becomes):
        return Difference(identity, values, _by_others(identity, synced))
    if synced.restated is not None and identity in synced.restated.otherwise:
        return Difference(identity, f"{word} done as announced, with other contents", _OTHERS)
    return None


def _unannounced(deed: Deed, anyway: Deed | None, synced: Synced) -> Difference | None:
    if anyway is not None and (anyway.action is deed.action or deed.outcome is not Outcome.DONE):
        return None  # the plan said so, too
    said = f"{deed.action} {deed.outcome}" if deed.outcome is not Outcome.HELD else f"{deed.outcome}"
    why = deed.why or _by_others(deed.identity, synced)
    if not why and synced.restated is not None and deed.identity not in synced.restated.all:
        why = _BESIDE_GIT.get(deed.action, "")
    return Difference(deed.identity, f"not announced: {said}", why)


def _absent(plan: Deed, synced: Synced) -> str:
    if not synced.ok:
        return "the pass has not come to it"
    already = "it was so already" if plan.action is not Action.PRUNE else "it was gone already, or is kept"
    return _by_others(plan.identity, synced) or already


def _by_others(identity: Identity, synced: Synced) -> str:
    """Why something is other than planned, where Git knows it."""
    others = synced.restated.others if synced.restated is not None else ()
    return _OTHERS if identity in others else ""


def _fields(planned: tuple[str, ...], done: tuple[str, ...]) -> str:
    """What two sets of paths disagree on; a server may say of a whole map what the plan says of what is in it."""
    left = [path for path in planned if not _covered(path, done)]
    came = [path for path in done if not _covered(path, planned)]
    parts = [f"announced and not changed: {', '.join(left)}"] if left else []
    parts += [f"changed and not announced: {', '.join(came)}"] if came else []
    return "; ".join(parts)


def _values(planned: Mapping[str, str], done: Mapping[str, str]) -> str:
    """Paths that became another value than was announced. Which digest a build would have, nobody could announce."""
    other = [path for path, value in planned.items() if done.get(path, value) != value and not builds(value)]
    said = [f"{path}: {planned[path]} announced, {done[path]} done" for path in other[:_SHOWN]]
    return "; ".join([*said, f"and {len(other) - _SHOWN} more"] if len(other) > _SHOWN else said)


def _covered(path: str, others: tuple[str, ...]) -> bool:
    return any(other.startswith(path) or path.startswith(other) for other in others)
