"""One source kept converged: `reconcile` is the whole product as a recipe."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial

from reconciler.cluster.cache import Packed
from reconciler.engine.attendant import Attendant, Between, Unattended
from reconciler.engine.between import Lent
from reconciler.engine.decide import Decider
from reconciler.engine.departures import Departures
from reconciler.engine.filling import Filler
from reconciler.engine.hands import Hands
from reconciler.engine.images import AsStated, Images
from reconciler.engine.observing import Observing
from reconciler.engine.pruning import Pruner
from reconciler.engine.record import passed
from reconciler.engine.retries import Retries
from reconciler.engine.runs import Runs
from reconciler.engine.surroundings import Desired, Repository, Surroundings
from reconciler.engine.telling import Teller
from reconciler.engine.wanting import Wanting
from reconciler.errors import ReconcilerError
from reconciler.kube.kinds import JOB
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import SourceConfig
from reconciler.model.filled import Filling
from reconciler.model.manifest import Manifests, Owner
from reconciler.model.ownership import Ownership, ownership
from reconciler.model.result import ObjectResult, SyncResult
from reconciler.model.snapshot import Snapshot
from reconciler.source.repository import Poll
from reconciler.specs.load import Loader

_SOON = 0.05  # seconds


class Reconciler:
    """Keeps one source converged.

    `poll` asks Git, `work` does what is due: a pass over a new revision, or healing; `tend` only heals. `poll` and
    `tend` may run beside `work`: a pass that waits for something keeps nobody from healing. Two calls of `work`, or two
    of `tend`, may not overlap. `on_suspect` is called, with a delay in seconds, when there is something that `tend`, or
    `work` where a pass is `due`, should look at. All that is held here can be lost: it is made again from Git and the
    cluster.
    """

    def __init__(
        self,
        config: SourceConfig,
        repository: Repository,
        surroundings: Surroundings,
        attendant: Attendant | None = None,
        images: Images | None = None,
    ) -> None:
        self.config = config
        self.owner = Owner(surroundings.install, config.name)
        self.on_suspect: Callable[[float], None] = lambda _delay: None
        self._repository = repository
        self._cluster = surroundings.cluster
        self._store = surroundings.store
        self._with = surroundings
        self._decider = Decider(config, self.owner, surroundings.cluster, surroundings.claims)
        self._observing = Observing(self._cluster, self._store, self.owner, config.namespaces)
        pruner = Pruner(config, self.owner, self._cluster.cache, surroundings.claims)
        self._departures = Departures(config.name, pruner, self._store, repository, self._cluster.cache)
        self._tell = Teller(config.name, surroundings.clock, surroundings.emit)
        self._attendant = attendant or Unattended(surroundings.cluster.cache)
        self._attendant.wake = lambda delay: self.on_suspect(delay)
        self._images = images or AsStated()
        self._images.join(self._wake, self.suspended)
        self._filler = Filler(config, self._cluster, surroundings.planning, self._store)
        self._wanting = Wanting(
            config,
            self.owner,
            repository,
            scopes=self._cluster.discovery.scopes,
            fill=self._filler.fill,
            pools=self._filler.pools,
            images=self._images,
            planner=surroundings.planner,
        )
        self._runs = Runs(config.name, self._store, self._cluster.cache, self._wake)
        self._hands = Hands(self.owner, surroundings, self._decider, self._runs, self._tell, self._attendant)
        self._snapshot: Snapshot | None = None
        self._desired: Desired | None = None
        self._tried: str | None = None  # the commit of the last pass that was not superseded
        self._synced = False
        self._resting = False
        self._again = False
        self._retries = Retries(surroundings.clock, surroundings.random)
        self._waiting = False  # for another source to state something else
        self._busy: set[Identity] = set()  # what the running pass still is to write
        self._passing = False
        self._deciding = asyncio.Lock()  # a pass does not decide while something is healed, nor the other way round
        self._superseded = asyncio.Event()
        self._interrupted = asyncio.Event()  # ends healing
        self._unsubscribe = self._cluster.cache.subscribe(self._seen)
        self._with.claims.join(config.name, (config.url, config.ref), self._others_changed)

    # -- what is to be done -------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether a pass has run to its end since the start."""
        return self._synced

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest revision that Git told of."""
        return self._snapshot

    @property
    def loader(self) -> Loader:
        """Which remembers the files of the last revisions."""
        return self._wanting.loader

    @property
    def desired(self) -> Desired | None:
        """What the last pass wanted, to look at."""
        return self._desired

    @property
    def pending(self) -> Filling:
        """Newer advice of the planner, that waits for a change of its spec (rule 19)."""
        return self._filler.pending

    @property
    def passing(self) -> bool:
        """Whether a pass is under way."""
        return self._passing

    @property
    def resting(self) -> bool:
        """Whether it was suspended when it was last to work."""
        return self._resting

    @property
    def due(self) -> bool:
        """Whether there is a revision that no pass has tried yet, or a pass was asked for."""
        return self._snapshot is not None and (self._again or self._snapshot.revision.commit != self._tried)

    @property
    def retry_delay(self) -> float | None:
        """Seconds until what failed is to be tried again; None where nothing failed."""
        return self._retries.delay

    def ask(self) -> None:
        """Have the next `work` make a pass, whether or not there is a new revision."""
        self._again = True

    def supersede(self) -> None:
        """Let a running pass end early: writes in flight end, nothing new starts."""
        self._superseded.set()
        self._interrupted.set()

    async def suspended(self) -> bool:
        """Whether nothing is to be written for now, by configuration or by `reconciler suspend`."""
        return self.config.suspend or (await self._store.load(self.config.name)).suspended

    async def poll(self) -> Poll:
        """Ask Git once. On an error the last good revision stays in force."""
        poll = await self._repository.poll()
        self._tell.polled(poll.error)
        if poll.error is not None:
            self._with.claims.rests(self.config.name)
        if poll.snapshot is not None and poll.snapshot != self._snapshot:
            if self._snapshot is not None:
                self.supersede()
            self._snapshot = poll.snapshot
        return poll

    async def watch_again(self) -> None:
        """Follow again what the server ended for good, as it does with a kind that it did not serve for a moment.

        No request where all is well.
        """
        self._tell.watched(await self._observing.follow_again())

    async def work(self) -> SyncResult | None:
        """Do what is due: a pass where there is a new revision or something to try again, else heal what drifted.

        A cluster that cannot be read is told as a failed sync and tried again after `retry_delay`.
        """
        snapshot = self._snapshot
        try:
            self._resting = await self.suspended()
            if self._resting:
                self._with.claims.rests(self.config.name)
                await self._rest()
                return None
            snapshot = self._snapshot
            if snapshot is None:
                return None
            if self.due or self.retry_delay == 0:
                return await self.reconcile(snapshot)
            await self.heal()
            if self._again:
                return await self.reconcile(snapshot)
        except ReconcilerError as error:
            self._could_not(snapshot, error)
        return None

    async def tend(self) -> None:
        """Heal what drifted. What fails is tried again after `retry_delay`, by `work`."""
        try:
            if self._desired is not None:
                if await self.suspended():
                    await self._attendant.attend(self._lend, suspended=True)
                elif not self.due:
                    await self.heal()
        except ReconcilerError as error:
            self._could_not(self._desired.snapshot if self._desired else None, error)

    def _could_not(self, snapshot: Snapshot | None, error: ReconcilerError) -> None:
        """The cluster, or a blob, could not be read. A commit that came meanwhile does not wait for the next try."""
        self._retries.failed()
        self._again = False
        if snapshot is not None:
            self._tried = snapshot.revision.commit
        self._tell.failed(snapshot, error)

    async def close(self) -> None:
        """Stop listening and close the repository."""
        self._unsubscribe()
        self._with.claims.forget(self.config.name)
        await self._attendant.close()
        await self._images.close()
        await self._repository.close()

    # -- a pass -------------------------------------------------------------------------------------------------------

    async def reconcile(self, snapshot: Snapshot) -> SyncResult:
        """One pass: from a revision to a converged cluster. Raises ReconcilerError where the cluster cannot be read."""
        self._superseded.clear()
        self._interrupted.set()
        self._again = False
        self._tried = None  # if this pass is cut short, an older commit is news again
        started = self._with.clock.now()
        self._tell.started(snapshot)
        desired = await self.wanted(snapshot)
        self._passing = True
        try:
            async with self._deciding:
                self._interrupted.clear()
                if self._desired is not None:  # else a person's edit of a moment ago would be this commit's conflict
                    await self._attendant.attend(self._lend_to_itself, suspended=False, brief=True)
                await self.observe(desired)
                self._desired = desired
                changes = await self.decide(desired)
                self._busy = {change.identity for change in changes}
            results = await self.execute(changes, desired.manifests)
        finally:
            self._passing = False
            self._busy = set()
        result = desired.result(self.config.name, started, self._with.clock.now(), results)
        self.record(result)
        self._attendant.passed(desired.manifests)
        if self._departures.passed(results):
            self.on_suspect(_SOON)
        return result

    async def wanted(self, snapshot: Snapshot) -> Desired:
        """What the revision says, and the objects that it makes."""
        return await self._wanting.of(snapshot)

    async def observe(self, desired: Desired) -> None:
        """Say what is stated, record the kinds in use, and follow them."""
        items, commit = desired.manifests.items, desired.snapshot.revision.commit
        self._with.claims.state(self.config.name, items, commit=commit, certain=not desired.doubtful)
        await self._observing.record_and_follow(items.values())

    async def decide(self, desired: Desired) -> list[Change]:
        """What is to happen to each object that is not as Git states it."""
        items = desired.manifests.items
        self._decider.forget(items)
        found = await self._decider.changes(items, past=await self._runs.past(items.values()), all_=True)
        changes = [kept for change in found if (kept := self._attendant.in_a_pass(change)) is not None]
        prunes = await self._departures.with_a_commit(desired, changes)
        self._waiting = prunes.waiting or any(change.action is Action.REFUSE for change in changes)
        return [*changes, *prunes.changes]

    async def execute(self, changes: Iterable[Change], manifests: Manifests) -> dict[Identity, ObjectResult]:
        """Carry the changes out; a result for each."""
        return await self._hands.of_a_pass(manifests.items, self._superseded, self._busy.discard).run(changes)

    def record(self, result: SyncResult) -> None:
        """Keep what the next life of the daemon must know, and say how the pass ended."""
        if not result.superseded:
            self._tried = result.revision.commit
            self._synced = True
            if result.ok:
                self._retries.succeeded()
            else:
                self._retries.failed()
        leave = partial(
            passed,
            result=result,
            guard=self.config.guard,
            stated=frozenset(self._desired.manifests.items if self._desired else ()),
            doubtful=self._desired is None or self._desired.doubtful,
            marked=frozenset(self._cluster.cache.marked(self.config.name)),
            unread=self._observing.unread(),
            settled=not self._waiting,
            waiting=self._desired.images.held if self._desired else (),
        )
        self._store.update(self.config.name, leave)
        self._tell.ended(result)

    # -- between passes -----------------------------------------------------------------------------------------------

    def _others_changed(self) -> None:
        """Another source states something else than before."""
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        """Another pass is due, soon."""
        self.ask()
        self.on_suspect(_SOON)

    def _seen(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        """A watch event."""
        if self._desired is None:
            return
        manifest = self._desired.manifests.items.get(identity)
        if identity.group_kind == JOB:
            self._runs.seen(identity, old, new, stated=manifest is not None)
        if manifest is None:
            if old is None and new is not None and ownership(new.live(identity), self.owner) is Ownership.OURS:
                self._wake()  # one of ours came to light that Git does not state
            return
        self._attendant.seen(identity, old, new)

    async def heal(self) -> None:
        """Have the attendant look at what others changed, and take away what was kept only for a while."""
        await self._attendant.attend(self._lend, suspended=False)
        if self._departures.due():
            self._wake()
        if not self._departures.untidy or self._passing or self.retry_delay is not None:
            return
        async with self._deciding:
            if self._desired is not None:
                hands = self._hands.between(self._desired.manifests.items, self._interrupted, lambda _result: None)
                await hands.run(await self._departures.since(self._desired))

    async def _rest(self) -> None:
        """Suspended: nothing is written, and what others do is noticed all the same."""
        if self._desired is None:
            await self._recall()
        if self._desired is not None:
            await self._attendant.attend(self._lend, suspended=True)

    async def _recall(self) -> None:
        """Know again what the cluster was made to be, where Git still says what was applied last."""
        applied = (await self._store.load(self.config.name)).applied
        snapshot = self._snapshot
        if snapshot is None or applied is None or applied.commit != snapshot.revision.commit:
            return
        desired = await self.wanted(snapshot)
        await self._observing.follow(desired.manifests.items.values())
        self._desired = desired
        self._attendant.passed(desired.manifests, compared=False)

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Between | None]:
        """Keep passes from deciding meanwhile; None where one is about to look at everything itself."""
        if self._passing and not self._busy:
            yield None
            return
        async with self._deciding:
            if not self._passing:
                self._interrupted.clear()
            yield self._lent(self._wake)

    @asynccontextmanager
    async def _lend_to_itself(self) -> AsyncIterator[Between | None]:
        """To a pass that keeps the others from deciding already, and makes what is missing."""
        yield self._lent(lambda: None)

    def _lent(self, ask: Callable[[], None]) -> Between | None:
        if self._desired is None:
            return None
        items = self._desired.manifests.items
        return Lent(
            items,
            self._desired.snapshot.revision.commit,
            self._busy,
            self._interrupted.is_set,
            ask,
            cluster=self._cluster,
            decider=self._decider,
            runs=self._runs,
            execution=partial(self._hands.between, items, self._interrupted),
        )
