"""The care for the objects of one source: what others do to them is noticed, confirmed, told, healed or left alone."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Final

from reconciler.clock import Clock
from reconciler.cluster.cache import Packed
from reconciler.cluster.cluster import Cluster
from reconciler.drift.docket import Docket
from reconciler.drift.drifts import Drifts
from reconciler.drift.futile import Futile
from reconciler.drift.judge import Judge
from reconciler.drift.patience import Patience
from reconciler.drift.suspects import Batch, Suspects
from reconciler.drift.windows import window_end
from reconciler.engine.attendant import Borrow, Left, as_seen, drifted, same_text
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.change import WRITES, Action, Change, Live
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import DriftMode, Manifest, Manifests, Owner
from reconciler.model.result import ObjectResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.drift.finding import Finding

SETTLE: Final = 0.05  # seconds: a roll-out touches an object many times, so look once events have settled a little
_BATCH: Final = 100  # objects that are looked at before others have their turn
_BRIEF: Final = 50  # the same where a pass waits
_BREATH: Final = 0.01  # seconds between two batches of a full check
_JITTER: Final = 0.1


class Warden:
    """The engine's attendant of one source: `reconciler.engine.attendant.Attendant`.

    All that is held here can be lost: what still drifts is found again. `full_check` is in seconds.
    """

    def __init__(
        self,
        config: SourceConfig,
        owner: Owner,
        cluster: Cluster,
        drifts: Drifts,
        *,
        clock: Clock,
        random: Random,
        full_check: float = 3600.0,
    ) -> None:
        self.wake: Callable[[float], None] = lambda _delay: None
        self._config = config
        self._cluster = cluster
        self._cache = cluster.cache
        self._clock = clock
        self._random = random
        self._full_check = full_check
        self._suspects = Suspects()
        self._patience = Patience(clock)
        self._futile = Futile(clock)
        self._docket = Docket(config.name, drifts, self._patience, clock)
        self._judge = Judge(owner, cluster.cache, self._docket, self._patience, self._futile, clock)
        self._items: Mapping[Identity, Manifest] = {}  # what Git states
        self._gone: dict[Identity, str] = {}  # what was deleted and is not to be healed, with what Git stated then
        self._unchecked: deque[Identity] = deque()  # what a full check still is to look at
        self._check_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._in_pass: dict[Identity, Finding] = {}  # drift that the running pass heals
        self._unmade: set[Identity] = set()  # what it could not do

    # -- what the engine says -----------------------------------------------------------------------------------------

    def seen(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        """The watch showed a change. Looking at it there would cost every status update a comparison."""
        manifest = self._items.get(identity)
        if manifest is not None and manifest.policy.drift is DriftMode.IGNORE:
            if new is None:
                self._gone[identity] = manifest.digest
            return
        if self._docket.rests(identity):
            return  # its turn comes, however often it is changed until then
        if not self._suspects:
            self.wake(SETTLE)
        self._suspects.add(identity, old)

    def in_a_pass(self, change: Change) -> Change | None:
        """The change as a pass is to make it. What is drift, and not to be healed now, is left alone."""
        manifest, identity = change.manifest, change.identity
        if manifest is None or manifest.once:
            return change
        if change.action is Action.CREATE and self._gone.get(identity) == manifest.digest:
            return None
        live = as_seen(change, self._cache)
        if self._futile.holds(change) and same_text(change, live):
            return None
        if change.action not in WRITES or not self._by_others(change, live):
            return change
        mode = manifest.policy.drift
        if mode is DriftMode.IGNORE:
            return None
        if mode is DriftMode.ALERT or self._window() is not None or self._patience.pause(identity) > 0:
            self._suspects.add(identity)
            return replace(change, action=Action.KEEP, reason=f"{change.reason}; it is drift, and not healed now")
        self._in_pass[identity] = self._judge.finding(change, live, None)
        return change

    def forces(self, change: Change) -> bool:
        manifest = change.manifest
        if manifest is None or manifest.policy.drift is not DriftMode.HEAL or self._window() is not None:
            return False
        return change.identity in self._docket or same_text(change, as_seen(change, self._cache))

    def made(self, result: ObjectResult, live: Live | None, left: Left) -> None:
        finding = self._in_pass.pop(result.identity, None)
        if result.outcome is not Outcome.DONE:
            self._unmade.add(result.identity)
        if finding is None or result.outcome in (Outcome.SUPERSEDED, Outcome.BLOCKED) or result.action is Action.KEEP:
            return
        if (unsure := self._judge.tried(finding, result, live, left)) is not None:
            self._futile.add(finding.change, unsure)  # whether it stays at that, the next look shows
            self._docket.healed(finding, finding.was())

    def passed(self, manifests: Manifests, *, compared: bool = True) -> None:
        items = manifests.items
        for identity in self._docket:
            manifest, case = items.get(identity), self._docket.get(identity)
            moved = manifest is None or case is None or manifest.digest != case.digest
            if moved and identity not in self._unmade:
                self._docket.restored(identity, "Git states something else now")
                self._patience.forgive(identity)
        for identity in self._docket.fights():
            if identity not in items:
                self._patience.forgive(identity)
        self._suspects.forget(items)
        self._futile.forget(items)
        self._unmade.clear()
        self._items = items
        self._gone = {i: digest for i, digest in self._gone.items() if i in items and items[i].digest == digest}
        if not compared:
            self._unchecked = deque(items)
        self._wake_next()

    async def attend(self, borrow: Borrow, *, suspended: bool, brief: bool = False) -> None:
        if brief:
            await self._look(borrow, self._suspects.take(_BRIEF, without=self._docket), suspended=False)
            return
        self._docket.calm()
        for identity in self._docket.due():
            self._suspects.add(identity)
        if self._check_is_due():
            self._begin_check()
        going = await self._look_at_suspects(borrow, suspended=suspended)
        while going and self._unchecked:
            some = {self._unchecked.popleft(): None for _ in range(min(_BATCH, len(self._unchecked)))}
            going = await self._look(borrow, some, suspended=suspended, afresh=True)
            if not going:
                self._unchecked.extend(some)
            await self._clock.sleep(_BREATH)
            going = going and await self._look_at_suspects(borrow, suspended=suspended)
        if going:
            self._wake_next()

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    # -- when ---------------------------------------------------------------------------------------------------------

    def _wake_next(self) -> None:
        """Have ourselves called for whatever is due next."""
        if self._suspects or self._unchecked:
            self.wake(SETTLE)
            return
        self._check_is_due()
        check = (self._check_at or 0.0) - self._clock.monotonic()
        due = self._docket.next_due()
        self.wake(max(SETTLE, check if due is None else min(check, due)))

    def _check_is_due(self) -> bool:
        now = self._clock.monotonic()
        if self._check_at is None:
            self._check_at = now + self._between_checks()
        return self._check_at <= now

    def _between_checks(self) -> float:
        return self._full_check * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def _begin_check(self) -> None:
        self._check_at = self._clock.monotonic() + self._between_checks()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all(), name=f"full check of {self._config.name}")

    async def _read_all(self) -> None:
        """Read everything anew, past the watch, and have it compared, whatever is remembered of it."""
        # Sources share what is watched: what another one has read lately need not be read again.
        await self._cluster.reread({each.group_kind for each in self._items}, age=self._full_check / 2)
        self._unchecked = deque(self._items)
        self.wake(SETTLE)

    def _window(self) -> datetime | None:
        windows = self._config.maintenance
        return window_end(windows, self._clock.now()) if windows else None

    # -- looking ------------------------------------------------------------------------------------------------------

    def _by_others(self, change: Change, live: Live | None) -> bool:
        case = self._docket.get(change.identity)
        if case is not None and change.manifest is not None and case.digest == change.manifest.digest:
            return True
        return drifted(change, live)

    async def _look_at_suspects(self, borrow: Borrow, *, suspended: bool) -> bool:
        """False where a pass came between."""
        going = True
        while going and (batch := self._suspects.take(_BATCH)):
            going = await self._look(borrow, batch, suspended=suspended)
        return going

    async def _look(self, borrow: Borrow, batch: Batch, *, suspended: bool, afresh: bool = False) -> bool:
        async with borrow() as between:
            if between is None:
                self._suspects.put_back(batch)
                return False
            self._docket.revision = between.revision
            busy = {identity: before for identity, before in batch.items() if identity in between.busy}
            self._suspects.put_back(busy)
            now = {
                identity: before
                for identity, before in batch.items()
                if identity not in busy
                and (manifest := between.items.get(identity)) is not None
                and not manifest.once
                and not self._docket.rests(identity)
            }
            try:
                undone = await self._judge.judge(
                    between, now, suspended=suspended, window=self._window(), afresh=afresh
                )
            except ReconcilerError:
                self._suspects.put_back(now)
                raise
            self._suspects.put_back(undone)
            # What a pass is about to write is looked at when it has ended: nothing wakes for it before.
            return not busy and not between.interrupted
