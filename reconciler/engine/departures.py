"""What leaves the cluster because it left Git: with a commit, and later, once nothing needs it any more.

And what waits for that, or for the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.cluster.state import StateStore
from reconciler.engine.pruning import Pruner, Prunes
from reconciler.engine.readiness import ready
from reconciler.engine.succession import Owned
from reconciler.engine.surroundings import Desired, Repository
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.result import ObjectResult
from reconciler.model.state import SourceState


class Departures:
    """Those of one source. `untidy`: something is kept only until a roll-out, a Job or a move has ended."""

    def __init__(self, source: str, pruner: Pruner, store: StateStore, repository: Repository, cache: Owned) -> None:
        self._source = source
        self._cache = cache
        self._pruner = pruner
        self._store = store
        self._repository = repository
        self.untidy = False
        self._awaited: list[Sequence[Identity]] = []  # for each change that waits, what is to be ready

    async def with_a_commit(self, desired: Desired, changes: Iterable[Change]) -> Prunes:
        """What goes beside `changes`, approvals by hand and by the commits' trailers counted.

        A trailer counts once: from here on these very objects are approved, and no others. Raises ReconcilerError.
        """
        state = await self._store.load(self._source)
        old = state.approvals_since
        new = desired.snapshot.revision.commit
        messages = await self._repository.messages(old, new) if old and old != new else ()
        prunes = self._prunes(desired, changes, state, messages)
        if prunes.by_trailer:
            self._store.update(
                self._source,
                lambda state: replace(state, approved=state.approved | prunes.by_trailer, spent=new),
            )
            await self._store.flush(self._source)
        return prunes

    async def since(self, desired: Desired) -> list[Change]:
        """The deletions that are due now, since what they waited for has ended. Raises ReconcilerError."""
        prunes = self._prunes(desired, (), await self._store.load(self._source))
        return [change for change in prunes.changes if change.action is Action.PRUNE]

    def passed(self, results: Mapping[Identity, ObjectResult]) -> bool:
        """Whether some changes wait until others are ready, by what came of a pass."""
        changes = [each.change for each in results.values() if each.change and each.action is Action.KEEP]
        self._awaited = [change.once for change in changes if change.once]
        return bool(self._awaited)

    def due(self) -> bool:
        """Whether some of these may be made now, so that a pass is due. Said once."""
        if not any(all(ready(self._cache.get(other)).ready for other in others) for others in self._awaited):
            return False
        self._awaited = []
        return True

    def _prunes(
        self, desired: Desired, changes: Iterable[Change], state: SourceState, messages: Iterable[str] = ()
    ) -> Prunes:
        prunes = self._pruner.prunes(
            desired.snapshot,
            desired.specs,
            desired.manifests,
            changes,
            messages=messages,
            approved=state.approved,
            before=state.guard,
        )
        self.untidy = prunes.untidy
        return prunes
