"""What a pass leaves behind for the next life of the daemon. Pure."""

from collections.abc import Collection
from dataclasses import replace

from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action
from reconciler.model.config import PruneGuard
from reconciler.model.result import Outcome, SyncResult
from reconciler.model.state import Held, Mark, Pass, SourceState


def passed(
    state: SourceState,
    result: SyncResult,
    *,
    guard: PruneGuard,
    stated: Collection[Identity],
    doubtful: bool,
    marked: Collection[Identity],
    unread: Collection[GroupKind],
    settled: bool,
    waiting: Collection[Held] = (),
) -> SourceState:
    """`state` after the pass that ended with `result`.

    `stated` are the objects that Git states, `doubtful` whether it states more that could not be understood, `marked`
    those that carry the source's label, `unread` the kinds whose list is not complete, `settled` whether the source
    waits for nothing more of this commit, `waiting` what is held beside objects. May be called again with a state that
    another process wrote.
    """
    changes = [(each, each.change) for _identity, each in sorted(result.results.items()) if each.change is not None]
    held = [
        Held(change.identity, change.uid, each.message, each.hint, deletion=change.manifest is None)
        for each, change in changes
        if each.outcome is Outcome.HELD
    ]
    to_go = {change.uid for each, change in changes if each.action is Action.PRUNE and each.outcome is not Outcome.DONE}
    state = state.holding([*held, *waiting]).having_passed(Pass.of(result))
    used = {*marked, *stated}
    state = replace(
        state,
        seen=Mark(result.revision.commit, result.started),
        guard=guard,
        # A kind leaves the record only after a complete, empty list (rule 3).
        kinds=state.kinds & {*(identity.group_kind for identity in used), *unread},
        namespaces=state.namespaces if unread else frozenset(i.namespace for i in used if i.namespace),
        approved=state.approved & {*to_go, *(each.uid for each in state.held)},
    )
    if not state.approvals_since:  # nothing was ever brought to its end: later commits may approve all the same
        state = replace(state, spent=result.revision.commit)
    if not doubtful:  # a Task that is broken for a moment states no Job, and its Job ran all the same
        state = state.keeping_jobs(stated)
    if not (result.ok and settled):
        return state
    return replace(state, applied=Mark(result.revision.commit, result.finished), spent="")
