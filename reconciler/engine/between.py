"""What the engine lends to an attendant between two passes."""

from collections.abc import Callable, Iterable, Mapping

from reconciler.cluster.cluster import Cluster
from reconciler.engine.attendant import Done
from reconciler.engine.decide import Decider
from reconciler.engine.execute import Execution
from reconciler.engine.runs import Runs
from reconciler.kube.names import Identity
from reconciler.model.change import Change, FieldChange, Live
from reconciler.model.manifest import Manifest
from reconciler.model.result import ObjectResult

NewExecution = Callable[[Callable[[ObjectResult], None], Callable[[Live], None]], Execution]
"""Makes what carries changes out; it is given what is to be told results, and objects as the server answered them."""


class Lent:
    """The `Between` of one source: see there. `interrupt` says whether a pass waits."""

    def __init__(
        self,
        items: Mapping[Identity, Manifest],
        revision: str,
        busy: Iterable[Identity],
        interrupt: Callable[[], bool],
        ask: Callable[[], None],
        *,
        cluster: Cluster,
        decider: Decider,
        runs: Runs,
        execution: NewExecution,
    ) -> None:
        self.items = items
        self.revision = revision
        self.busy = frozenset(busy)
        self._interrupt = interrupt
        self.ask = ask
        self._cluster = cluster
        self._decider = decider
        self._runs = runs
        self._execution = execution

    @property
    def interrupted(self) -> bool:
        return self._interrupt()

    async def differences(self, identities: Iterable[Identity], *, afresh: bool = False) -> list[Change]:
        stated = {identity: self.items[identity] for identity in identities if identity in self.items}
        past = await self._runs.past(stated.values())
        return await self._decider.changes(stated, past=past, afresh=afresh)

    def met(self, identity: Identity) -> bool:
        return self._decider.met(self.items[identity])

    async def look(self, identity: Identity) -> Live | None:
        found = self._cluster.cache.get(identity)
        return found if found is not None else await self._cluster.get(identity, self.items[identity].gvk.version)

    def left(self, change: Change, live: Live) -> tuple[FieldChange, ...]:
        return self._decider.left(change, live)

    async def dry_run(self, change: Change) -> Live:
        manifest = change.manifest or self.items[change.identity]
        return await self._cluster.apply(manifest.object, force=True, dry_run=True)

    async def carry_out(self, changes: Iterable[Change], done: Done) -> None:
        by_identity = {change.identity: change for change in changes}
        answers: dict[Identity, Live] = {}

        def answered(live: Live) -> None:
            answers[live.identity] = live

        def finished(result: ObjectResult) -> None:
            done(by_identity[result.identity], result, answers.pop(result.identity, None))

        await self._execution(finished, answered).run(by_identity.values())
