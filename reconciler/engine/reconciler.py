"""One source kept converged: `reconcile` is the whole product as a recipe."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.diff.prune import finish
from reconciler.engine.claims import Claims
from reconciler.engine.decide import Decider
from reconciler.engine.execute import WRITES, Execution
from reconciler.engine.healing import Healing
from reconciler.engine.telling import Teller
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.config import SourceConfig
from reconciler.model.event import Sink
from reconciler.model.manifest import ANNOTATION_ORIGIN, DriftMode, Manifests, Owner
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Blobs, Snapshot
from reconciler.model.spec import Specs
from reconciler.model.state import Held, Mark, Pass, SourceState
from reconciler.planner.identity import plan
from reconciler.render.render import Renderer
from reconciler.source.repository import Poll
from reconciler.specs.load import Loader

_RETRY_FIRST = 2.0
_RETRY_LONGEST = 300.0
# Watch events come in bursts (a roll-out touches an object many times): look once they have settled a little.
_SUSPECT_DELAY = 0.05


class Repository(Blobs, Protocol):
    """What the engine asks of a source."""

    async def poll(self) -> Poll: ...

    async def messages(self, old: str, new: str) -> tuple[str, ...]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sources of one daemon share. `wait_timeout` is in seconds, for one dependency."""

    cluster: Cluster
    store: StateStore
    install: str
    claims: Claims
    clock: Clock
    random: Random
    emit: Sink
    concurrency: int = 8
    wait_timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class Desired:
    """What the last pass wanted."""

    snapshot: Snapshot
    specs: Specs
    manifests: Manifests


class Reconciler:
    """Keeps one source converged.

    `poll` asks Git, `work` does what is due: a pass over a new revision, or healing. Both may be called at any time;
    `poll` may run beside `work`, two calls of `work` may not overlap. `on_suspect` is called, with a delay in seconds,
    when the watch shows something that `work` should look at. All that is held here can be lost: it is made again
    from Git and the cluster.
    """

    def __init__(self, config: SourceConfig, repository: Repository, surroundings: Surroundings) -> None:
        self.config = config
        self.owner = Owner(surroundings.install, config.name)
        self.on_suspect: Callable[[float], None] = lambda _delay: None
        self._repository = repository
        self._cluster = surroundings.cluster
        self._store = surroundings.store
        self._with = surroundings
        self._loader = Loader()
        self._renderer = Renderer()
        self._decider = Decider(config, self.owner, surroundings.cluster, surroundings.claims)
        self._healing = Healing(surroundings.clock)
        self._tell = Teller(config.name, surroundings.clock, surroundings.emit)
        self._snapshot: Snapshot | None = None
        self._desired: Desired | None = None
        self._tried: str | None = None  # the commit of the last pass that was not superseded
        self._synced = False
        self._again = False
        self._failures = 0
        self._retry_at = 0.0  # on the monotonic clock, where something failed
        self._untidy = False  # something was kept only until a roll-out has ended
        self._suspects: set[Identity] = set()
        self._paused: set[Identity] = set()
        self._superseded = asyncio.Event()
        self._unsubscribe = self._cluster.cache.subscribe(self._seen)

    # -- what is to be done -------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether a pass has run to its end since the start."""
        return self._synced

    @property
    def due(self) -> bool:
        """Whether there is a revision that no pass has tried yet, or a pass was asked for."""
        return self._snapshot is not None and (self._again or self._snapshot.revision.commit != self._tried)

    @property
    def retry_delay(self) -> float | None:
        """Seconds until what failed is to be tried again; None where nothing failed."""
        return max(0.0, self._retry_at - self._with.clock.monotonic()) if self._failures else None

    def ask(self) -> None:
        """Have the next `work` make a pass, whether or not there is a new revision."""
        self._again = True

    def supersede(self) -> None:
        """Let a running pass end early: writes in flight end, nothing new starts."""
        self._superseded.set()

    async def suspended(self) -> bool:
        """Whether nothing is to be written for now, by configuration or by `reconciler suspend`."""
        return self.config.suspend or (await self._store.load(self.config.name)).suspended

    async def poll(self) -> Poll:
        """Ask Git once. On an error the last good revision stays in force."""
        poll = await self._repository.poll()
        self._tell.polled(poll.error)
        if poll.snapshot is not None and poll.snapshot != self._snapshot:
            if self._snapshot is not None:
                self.supersede()
            self._snapshot = poll.snapshot
        return poll

    async def work(self) -> SyncResult | None:
        """Do what is due: a pass where there is a new revision or something to try again, else heal what drifted.

        A cluster that cannot be read is told as a failed sync and tried again after `retry_delay`.
        """
        try:
            if self._snapshot is None or await self.suspended():
                return None
            if self.due or self.retry_delay == 0:
                return await self.reconcile(self._snapshot)
            await self.heal()
        except ReconcilerError as error:
            self._failed()
            self._again = False
            if self._snapshot is not None:
                self._tried = self._snapshot.revision.commit
            self._tell.failed(self._snapshot, error)
        return None

    def _failed(self) -> None:
        """Something is to be tried again, after a pause that grows: watch events meanwhile do not shorten it."""
        pause = min(_RETRY_LONGEST, _RETRY_FIRST * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._retry_at = self._with.clock.monotonic() + pause * self._with.random.uniform(0.8, 1.2)

    async def close(self) -> None:
        """Stop listening and close the repository."""
        self._unsubscribe()
        self._with.claims.forget(self.config.name)
        await self._repository.close()

    # -- a pass -------------------------------------------------------------------------------------------------------

    async def reconcile(self, snapshot: Snapshot) -> SyncResult:
        """One pass: from a revision to a converged cluster. Raises ReconcilerError where the cluster cannot be read."""
        self._superseded.clear()
        self._again = False
        started = self._with.clock.now()
        self._tell.started(snapshot)
        specs = await self.load(snapshot)
        manifests = self.render(specs)
        self._desired = Desired(snapshot, specs, manifests)
        await self.observe(manifests)
        changes = await self.decide(self._desired)
        results = await self.execute(changes, manifests)
        result = SyncResult(
            self.config.name,
            snapshot.revision,
            started,
            self._with.clock.now(),
            results,
            (*specs.problems, *manifests.problems),
            superseded=any(each.outcome is Outcome.SUPERSEDED for each in results.values()),
        )
        self.record(result)
        if self._suspects:
            self.on_suspect(_SUSPECT_DELAY)
        return result

    async def load(self, snapshot: Snapshot) -> Specs:
        """What the revision says, parsed where it was not parsed before."""
        discovery = self._cluster.discovery
        if not discovery.resources:
            await discovery.refresh()
        scopes = {kind: resource.namespaced for kind, resource in discovery.resources.items()}
        return await self._loader.load(snapshot, self._repository, namespace=self.config.namespace, scopes=scopes)

    def render(self, specs: Specs) -> Manifests:
        """The objects that the specs and their plan make."""
        return self._renderer.render(
            specs, plan(specs), owner=self.owner, adopt=self.config.adopt, drift=self.config.drift
        )

    async def observe(self, manifests: Manifests) -> None:
        """Record the kinds in use, then follow them: killed in between, nothing that was applied is ever orphaned."""
        name = self.config.name
        self._with.claims.state(name, manifests.items)
        kinds = {identity.group_kind for identity in manifests.items}
        before = await self._store.load(name)
        await self._store.record(name, kinds, {i.namespace for i in manifests.items if i.namespace})
        versions = {manifest.gvk for manifest in manifests.items.values()}
        await self._cluster.watch([*versions, *(before.kinds - kinds)], namespaces=self.config.namespaces)

    async def decide(self, desired: Desired) -> list[Change]:
        """What is to happen to each object that is not as Git states it."""
        state = await self._store.load(self.config.name)
        changes = await self._decider.changes(desired.manifests.items, ran=state.ran)
        old, new = state.applied.commit if state.applied else "", desired.snapshot.revision.commit
        messages = await self._repository.messages(old, new) if old and old != new else ()
        return [*changes, *self._prunes(desired, changes, state, messages)]

    def _prunes(
        self, desired: Desired, changes: Iterable[Change], state: SourceState, messages: Iterable[str] = ()
    ) -> list[Change]:
        prunes = self._decider.prunes(
            desired.snapshot,
            desired.specs,
            desired.manifests,
            changes,
            messages=messages,
            approved=state.approved,
            before=state.guard,
        )
        self._untidy = any(change.action is Action.KEEP for change in prunes)
        return prunes

    async def execute(
        self, changes: Iterable[Change], manifests: Manifests, *, healing: bool = False
    ) -> dict[Identity, ObjectResult]:
        """Carry the changes out; a result for each."""
        execution = Execution(
            self._cluster,
            manifests.items,
            self.owner,
            concurrency=self._with.concurrency,
            wait_timeout=self._with.wait_timeout,
            superseded=self._superseded,
            finished=self._finished,
            forced=lambda change: healing or self._known(change),
        )
        return await execution.run(changes)

    def _known(self, change: Change) -> bool:
        """Whether a write may take fields back from others (rules 4 and 5).

        It may where the object was last applied from this very text: then what differs was changed by somebody else.
        """
        manifest = change.manifest
        if manifest is None or manifest.policy.drift is not DriftMode.HEAL:
            return False
        live = self._cluster.cache.get(change.identity)
        origin = (manifest.object["metadata"].get("annotations") or {}).get(ANNOTATION_ORIGIN)
        return manifest.policy.adopt or (live is not None and live.annotations.get(ANNOTATION_ORIGIN) == origin)

    def _finished(self, result: ObjectResult) -> None:
        if result.outcome is Outcome.DONE and result.change is not None and result.change.manifest is not None:
            self._decider.written(result.change.manifest)
        self._tell.finished(result)

    def record(self, result: SyncResult) -> None:
        """Keep what the next life of the daemon must know, and say how the pass ended."""
        if not result.superseded:
            self._tried = result.revision.commit
            self._synced = True
            if result.ok:
                self._failures = 0
            else:
                self._failed()
        held = [
            Held(identity, each.change.uid, each.message, each.hint, deletion=each.change.manifest is None)
            for identity, each in sorted(result.results.items())
            if each.outcome is Outcome.HELD and each.change is not None
        ]
        applied = Mark(result.revision.commit, result.finished) if result.ok else None

        def passed(state: SourceState) -> SourceState:
            state = self._pruned_record(state.holding(held).having_passed(Pass.of(result)))
            seen = Mark(result.revision.commit, result.started)
            return replace(state, seen=seen, applied=applied or state.applied, guard=self.config.guard)

        self._store.update(self.config.name, passed)
        self._tell.ended(result)

    def _pruned_record(self, state: SourceState) -> SourceState:
        """Without kinds whose list was read and is empty (rule 3), approvals that are used up, Jobs of old hashes."""
        manifests = self._desired.manifests.items if self._desired else {}
        marked = self._cluster.cache.marked(self.config.name)
        used = {identity.group_kind for identity in (*marked, *manifests)}
        unread = {
            kind for kind in state.kinds if kind in self._cluster.failing() or not self._cluster.cache.synced(kind)
        }
        uids = {held.uid for held in state.held}
        return replace(
            state,
            kinds=state.kinds & (used | unread),
            namespaces=frozenset(i.namespace for i in (*marked, *manifests) if i.namespace)
            if not unread
            else state.namespaces,
            approved=state.approved & uids,
            ran=frozenset(identity for identity in state.ran if identity in manifests),
        )

    # -- between passes -----------------------------------------------------------------------------------------------

    def _seen(self, identity: Identity, _old: Live | None, _new: Live | None) -> None:
        """A watch event. Looking at it here would cost every status update a comparison: it only becomes a suspect."""
        if self._desired is not None and identity in self._desired.manifests.items:
            if not self._suspects:
                self.on_suspect(_SUSPECT_DELAY)
            self._suspects.add(identity)

    async def heal(self) -> None:
        """Look at what the watch showed to have changed, and make it again what Git states."""
        if self._desired is None:
            return
        suspects, self._suspects, self._paused = self._suspects | self._paused, set(), set()
        items = self._desired.manifests.items
        stated = {identity: items[identity] for identity in sorted(suspects) if identity in items}
        self._note_runs(stated)
        state = await self._store.load(self.config.name)
        now: list[Change] = []
        for change in await self._decider.changes(stated, ran=state.ran):
            if change.action not in WRITES:
                continue
            mode = stated[change.identity].policy.drift
            pause = self._healing.pause(change.identity, _paths(change))
            if mode is DriftMode.ALERT and await self._decider.confirmed(change):
                self._tell.drifted(change)
            elif mode is DriftMode.HEAL and pause > 0:
                self._paused.add(change.identity)
                self.on_suspect(pause)
            elif mode is DriftMode.HEAL:
                now.append(change)
        if now:
            await self._heal(now)
        if self._untidy:
            prunes = self._prunes(self._desired, (), state)
            await self.execute([c for c in prunes if c.action is Action.PRUNE], self._desired.manifests)

    async def _heal(self, changes: list[Change]) -> None:
        assert self._desired is not None  # noqa: S101 - for the type checker
        failed = False
        results = await self.execute(changes, self._desired.manifests, healing=True)
        for change in changes:
            result = results[change.identity]
            version = self._cluster.cache.version(change.identity)
            if result.outcome is not Outcome.DONE:
                failed = True
            elif change.resource_version == version and change.manifest is not None:
                self._decider.written(change.manifest)  # the server only spells it otherwise
            else:
                self._healing.healed(change.identity, _paths(change))
                self._tell.healed(change, fight=self._healing.fight(change.identity))
        if failed:
            self._failed()

    def _note_runs(self, identities: Iterable[Identity]) -> None:
        """Remember Jobs that ran to their end: they are not made again because they were deleted (rule 16)."""
        assert self._desired is not None  # noqa: S101 - for the type checker
        ended = frozenset(
            identity
            for identity in identities
            if self._desired.manifests.items[identity].once
            and (live := self._cluster.cache.get(identity)) is not None
            and finish(live.object)[0]
        )
        if ended:
            self._store.update(self.config.name, lambda state: replace(state, ran=state.ran | ended))


def _paths(change: Change) -> tuple[str, ...]:
    return tuple(field.path for field in change.fields)
