"""The care for the objects of one source: what others do to them is noticed, confirmed, told, healed or left alone."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster.cache import Packed
from reconciler.cluster.cluster import Cluster
from reconciler.drift.drifts import Drifts
from reconciler.drift.futile import SECRET, Futile
from reconciler.drift.kinds import is_ours, kind_of, unmarked
from reconciler.drift.patience import Patience
from reconciler.drift.suspects import Batch, Suspects
from reconciler.drift.windows import window_end
from reconciler.drift.wording import drifted_fields, found, others
from reconciler.engine.attendant import Between, Borrow, same_text
from reconciler.engine.decide import alike
from reconciler.engine.execute import WRITES
from reconciler.engine.graph import rank
from reconciler.errors import ApiError, ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Action, Change, FieldChange, Live
from reconciler.model.config import SourceConfig
from reconciler.model.drift import Drift, DriftKind, DriftState
from reconciler.model.event import EventType
from reconciler.model.manifest import ANNOTATION_ID, MANAGER, DriftMode, Manifests, Owner
from reconciler.model.result import ObjectResult, Outcome

SETTLE: Final = 0.05  # seconds: a roll-out touches an object many times, so look once events have settled a little
_BATCH: Final = 100  # objects that are looked at before others have their turn
_BRIEF: Final = 50  # the same where a pass waits
_BREATH: Final = 0.01  # seconds between two batches of a full check
_JITTER: Final = 0.1
_AGAIN: Final = 300.0  # seconds until what we may not change is looked at again
_RETRY: Final = 2.0  # at least, after a failure
_STUBBORN: Final = 30.0  # at least, where an apply does not bring what Git states


@dataclass(slots=True)
class _Case:
    """An object that is not as Git states it. `uid` is the one it had; `ours` though its marks may be gone."""

    drift: Drift
    digest: str  # of what Git states
    uid: str = ""
    ours: bool = False
    told: bool = False
    failed: bool = False  # it could not be healed


@dataclass(frozen=True, slots=True)
class _Finding:
    """A difference that is drift, before it is confirmed."""

    change: Change
    kind: DriftKind
    mode: DriftMode
    noticed: datetime
    uid: str
    ours: bool
    live: Live | None
    was: Packed | None  # as the cache had it


class Warden:
    """The engine's attendant of one source: `reconciler.engine.attendant.Attendant`.

    All that is held here can be lost: what still drifts is found again.
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
        self._owner = owner
        self._cluster = cluster
        self._cache = cluster.cache
        self._drifts = drifts
        self._clock = clock
        self._random = random
        self._full_check = full_check
        self._suspects = Suspects()
        self._patience = Patience(clock)
        self._futile = Futile(clock)
        self._cases: dict[Identity, _Case] = {}
        self._fights: dict[Identity, Drift] = {}  # told, and not calm yet
        self._later: dict[Identity, float] = {}  # when to look at an object again, on the monotonic clock
        self._unchecked: deque[Identity] = deque()  # what a full check still is to look at
        self._check_at: float | None = None
        self._in_pass: dict[Identity, _Finding] = {}
        self._unmade: set[Identity] = set()  # what the running pass could not do
        self._stated: tuple[Identity, ...] = ()
        self._revision = ""

    # -- what the engine says -----------------------------------------------------------------------------------------

    def seen(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        """The watch showed a change. Looking at it there would cost every status update a comparison."""
        if self._rests(identity):
            return  # its turn comes, however often it is changed until then
        if not self._suspects:
            self.wake(SETTLE)
        self._suspects.add(identity, old)

    def in_a_pass(self, change: Change) -> Change | None:
        """The change as a pass is to make it. What is drift, and not to be healed now, is left alone."""
        manifest, identity = change.manifest, change.identity
        if manifest is None or manifest.once:
            return change
        live = self._cache.get(identity)
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
        self._in_pass[identity] = self._finding(change, live, None)
        return change

    def forces(self, change: Change) -> bool:
        manifest = change.manifest
        if manifest is None or manifest.policy.drift is not DriftMode.HEAL or self._window() is not None:
            return False
        return change.identity in self._cases or same_text(change, self._cache.get(change.identity))

    def made(self, result: ObjectResult, live: Live | None) -> None:
        finding = self._in_pass.pop(result.identity, None)
        if result.outcome is not Outcome.DONE:
            self._unmade.add(result.identity)
        if finding is None or result.outcome is Outcome.SUPERSEDED:
            return
        self._patience.tried(result.identity)
        was = finding.was.live(result.identity) if finding.was is not None else None
        if result.outcome is not Outcome.DONE:
            self._failed(finding, was, result)
        elif was is not None and live is not None and alike(was, live) and finding.kind is not DriftKind.TAKEN:
            self._futile.add(finding.change, finding.change.fields)
            self._well(result.identity)
        else:
            self._healed(finding, was)

    def passed(self, manifests: Manifests, *, compared: bool = True) -> None:
        items = manifests.items
        for identity, case in tuple(self._cases.items()):
            manifest = items.get(identity)
            if manifest is None or (manifest.digest != case.digest and identity not in self._unmade):
                self._restored(identity, "Git states something else now")
                self._patience.forgive(identity)
        for identity in self._fights.keys() - items.keys():
            self._patience.forgive(identity)
        self._suspects.forget(items)
        self._futile.forget(items)
        self._unmade.clear()
        self._stated = tuple(items)
        if not compared:
            self._unchecked = deque(items)
        self._wake_next()

    async def attend(self, borrow: Borrow, *, suspended: bool, brief: bool = False) -> None:
        if brief:
            await self._look(borrow, self._suspects.take(_BRIEF, without=self._cases), suspended=False)
            return
        self._calm()
        now = self._clock.monotonic()
        for identity in [each for each, at in self._later.items() if at <= now]:
            del self._later[identity]
            self._suspects.add(identity)
        if self._check_is_due():
            await self._begin_check()
        going = await self._look_at_suspects(borrow, suspended=suspended)
        while going and self._unchecked:
            some = {self._unchecked.popleft(): None for _ in range(min(_BATCH, len(self._unchecked)))}
            going = await self._look(borrow, some, suspended=suspended, afresh=True)
            await self._clock.sleep(_BREATH)
            going = going and await self._look_at_suspects(borrow, suspended=suspended)
        if going:
            self._wake_next()

    def _rests(self, identity: Identity) -> bool:
        """Whether it is left alone for a while, whatever happens to it."""
        case = self._cases.get(identity)
        fought = case is not None and case.drift.state in (DriftState.FIGHT, DriftState.STUBBORN)
        return fought and self._later.get(identity, 0.0) > self._clock.monotonic()

    # -- when ---------------------------------------------------------------------------------------------------------

    def _wake_next(self) -> None:
        """Have ourselves called for whatever is due next."""
        now = self._clock.monotonic()
        if self._suspects or self._unchecked:
            self.wake(SETTLE)
            return
        calm = [self._patience.calm(identity) for identity in self._fights if identity not in self._cases]
        self._check_at = self._check_at or now + self._between_checks()
        self.wake(max(SETTLE, min([self._check_at - now, *calm, *(at - now for at in self._later.values())])))

    def _between_checks(self) -> float:
        return self._full_check * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def _check_is_due(self) -> bool:
        now = self._clock.monotonic()
        if self._check_at is None:
            self._check_at = now + self._between_checks()
        return self._check_at <= now

    async def _begin_check(self) -> None:
        """Read everything anew, past the watch, and compare it, whatever is remembered of it."""
        self._check_at = self._clock.monotonic() + self._between_checks()
        # Sources share what is watched: what another one has read lately need not be read again.
        await self._cluster.reread({each.group_kind for each in self._stated}, age=self._full_check / 2)
        self._unchecked = deque(self._stated)

    def _window(self) -> datetime | None:
        windows = self._config.maintenance
        return window_end(windows, self._clock.now()) if windows else None

    def _calm(self) -> None:
        """Say of fights that they are over."""
        for identity, fight in tuple(self._fights.items()):
            if identity not in self._cases and not self._patience.calm(identity):
                del self._fights[identity]
                over = replace(fight, state=DriftState.HEALED, until=None, ended=self._clock.now())
                self._drifts.end(over)
                self._tell(EventType.CALMED, over, "nobody has changed it back for a while")

    # -- looking ------------------------------------------------------------------------------------------------------

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
            self._revision = between.revision
            later = {identity: before for identity, before in batch.items() if identity in between.busy}
            self._suspects.put_back(later)
            stated = between.items
            now = {
                identity: before
                for identity, before in batch.items()
                if identity not in later
                and (manifest := stated.get(identity)) is not None
                and not manifest.once
                and not self._rests(identity)
            }
            try:
                await self._judge(between, now, suspended=suspended, afresh=afresh)
            except ReconcilerError:
                self._suspects.put_back(now)
                raise
            # What a pass is about to write is looked at when it has ended: nothing wakes for it before.
            return not later and not between.interrupted

    async def _judge(self, between: Between, batch: Batch, *, suspended: bool, afresh: bool) -> None:
        inside = sorted(batch, key=lambda i: (rank(i), i))
        # That we made an object what it is says nothing of one that did not come out as it was to be.
        anew = [identity for identity in inside if identity in self._cases]
        changes = await between.differences([i for i in inside if i not in self._cases], afresh=afresh)
        changes += await between.differences(anew, afresh=True) if anew else []
        differing: list[Change] = []
        strange = set()
        for change in changes:
            if change.action in (Action.NONE, Action.KEEP) or self._futile.holds(change):
                continue
            strange.add(change.identity)
            differing.append(change)
        for identity in batch.keys() - strange:
            self._well(identity)
        window = self._window()
        heal: list[_Finding] = []
        confirm: list[_Finding] = []
        for change in differing:
            finding = await self._drift(between, change, batch[change.identity])
            if finding is None:
                if change.action is Action.CREATE:
                    between.ask()
            elif finding.mode is DriftMode.IGNORE:
                self._well(change.identity)
            elif finding.mode is DriftMode.ALERT or suspended or window or finding.change.action not in WRITES:
                confirm.append(finding)
            elif self._patience.pause(change.identity) > 0:
                self._pause(finding)
            else:
                heal.append(finding)
        await self._heal(between, heal)
        confirming = (self._confirm(between, each, suspended=suspended, window=window) for each in confirm)
        for error in await asyncio.gather(*confirming, return_exceptions=True):
            if error is not None:
                raise error

    async def _drift(self, between: Between, change: Change, before: Packed | None) -> _Finding | None:
        """What the difference is; None where Git made it, or where nobody can tell."""
        identity = change.identity
        case = self._cases.get(identity)
        live = self._cache.get(identity)
        if live is None and change.uid:
            live = await between.look(identity)
        elif change.action is Action.REFUSE and not change.uid:
            return None  # nobody could look at it
        if not (between.met(identity) or case is not None or same_text(change, live)):
            return None
        earlier = before.live(identity) if before is not None else None
        finding = self._finding(change, live, earlier)
        if change.action is Action.HOLD and finding.ours and finding.kind is DriftKind.DISOWNED:
            return replace(finding, change=self._reclaimed(change))
        return finding

    def _finding(self, change: Change, live: Live | None, earlier: Live | None) -> _Finding:
        manifest = change.manifest
        assert manifest is not None  # noqa: S101 - only prunes have none
        identity = change.identity
        case = self._cases.get(identity)
        uid = (case.uid if case is not None else "") or (earlier.uid if earlier is not None else "")
        known = is_ours(live, self._owner) or is_ours(earlier, self._owner) or (case is not None and case.ours)
        ours = known and unmarked(live, self._owner, uid or (live.uid if live is not None else ""))
        return _Finding(
            change,
            kind_of(change, live, self._owner, uid),
            manifest.policy.drift,
            case.drift.noticed if case is not None else self._clock.now(),
            uid,
            ours,
            live if self._cache.version(identity) == "" else None,
            self._cache.at(identity, self._cache.version(identity)),
        )

    def _reclaimed(self, change: Change) -> Change:
        """The same object, to be marked as ours again."""
        path = f"metadata.annotations.{ANNOTATION_ID}"
        field = FieldChange(path, ABSENT, self._owner.id_of(change.identity))
        return replace(change, action=Action.UPDATE, reason="our mark is gone", fields=(field,), hint="")

    def _by_others(self, change: Change, live: Live | None) -> bool:
        """Whether somebody else made every difference that a pass has found."""
        case = self._cases.get(change.identity)
        if case is not None and change.manifest is not None and case.digest == change.manifest.digest:
            return True
        theirs = all(field.note or field.before is ABSENT for field in change.fields)
        return bool(change.fields) and theirs and same_text(change, live)

    # -- what comes of it ---------------------------------------------------------------------------------------------

    async def _heal(self, between: Between, findings: Iterable[_Finding]) -> None:
        unsure: list[tuple[_Finding, tuple[FieldChange, ...], Live | None]] = []
        by_identity = {finding.change.identity: finding for finding in findings}

        def done(change: Change, result: ObjectResult, live: Live | None) -> None:
            finding = by_identity[change.identity]
            if result.outcome is Outcome.SUPERSEDED:
                self._suspects.add(change.identity, finding.was)
                return
            was = finding.was.live(change.identity) if finding.was is not None else finding.live
            self._patience.tried(change.identity)
            if result.outcome is not Outcome.DONE:
                self._failed(finding, was, result)
                return
            left = between.left(change, live) if live is not None else ()
            if was is not None and live is not None and _no_effect(change, left, was, live):
                self._futile.add(change, left)
                self._well(change.identity)
            elif not left or self._futile.same(change, left):
                self._healed(finding, was)
            else:
                unsure.append((finding, left, was))

        if by_identity:
            await between.carry_out([finding.change for finding in by_identity.values()], done)
        for finding, left, was in unsure:
            await self._converged(between, finding, left, was)

    async def _converged(
        self, between: Between, finding: _Finding, left: tuple[FieldChange, ...], was: Live | None
    ) -> None:
        """Whether another apply would leave the same: then a webhook means it so. Else it never comes out as stated."""
        try:
            again = between.left(finding.change, await between.dry_run(finding.change))
        except ApiError:  # a webhook may not take dry-runs
            again = ()
        if again == left:
            self._futile.add(finding.change, left)
            self._healed(finding, was)
        else:
            self._patience.tried(finding.change.identity)
            self._pause(replace(finding, change=replace(finding.change, fields=left)), stubborn=True)

    async def _confirm(self, between: Between, finding: _Finding, *, suspended: bool, window: datetime | None) -> None:
        """What is left alone is drift where an apply would change it."""
        change, identity = finding.change, finding.change.identity
        was = finding.was.live(identity) if finding.was is not None else finding.live
        case = self._cases.get(identity)
        if case is None and change.action in WRITES:
            if window is None and not suspended and (pause := self._patience.pause(identity)):
                self._look_again(identity, pause)  # it comes and goes: do not say so each time
                return
            if was is not None and not await self._matters(between, change, was):
                self._futile.add(change, change.fields)
                return
        waits = suspended or window is not None
        state = DriftState.WAITING if waits else DriftState.FOUND
        quiet = window is not None and not suspended
        reason = ""
        if suspended:
            reason = "the source is suspended"
        elif window is not None:
            self._look_again(identity, (window - self._clock.now()).total_seconds())
            reason = "a maintenance window is open"
        elif change.action not in WRITES:
            self._look_again(identity, _AGAIN)
            reason = change.reason
        case = self._open(finding, was, state, reason, until=None if suspended else window)
        if not quiet and not case.told:
            self._patience.tried(identity)
            self._begin(case, hint=change.hint)

    async def _matters(self, between: Between, change: Change, was: Live) -> bool:
        try:
            dry = await between.dry_run(change)
        except ApiError:  # it would be refused, or a webhook takes no dry-runs: what was compared has to do
            return True
        return not _no_effect(change, between.left(change, dry), was, dry)

    def _pause(self, finding: _Finding, *, stubborn: bool = False) -> None:
        """Somebody keeps changing it back, or it never comes out as stated: leave it alone for a while."""
        identity = finding.change.identity
        was = finding.was.live(identity) if finding.was is not None else finding.live
        before = self._cases.get(identity)
        stubborn = stubborn or (before is not None and before.drift.state is DriftState.STUBBORN)
        pause = max(_STUBBORN if stubborn else _RETRY, self._patience.pause(identity))
        self._look_again(identity, pause)
        if before is not None and before.failed:
            return  # nobody fights: it is tried again
        state = DriftState.STUBBORN if stubborn else DriftState.FIGHT
        until = self._clock.now() + timedelta(seconds=pause)
        case = self._open(finding, was, state, "", until=until)
        first = identity not in self._fights
        self._fights[identity] = case.drift
        if not first:
            return
        if stubborn:
            who = "an admission webhook rewrites it?"
            said = f"applying it never makes it what Git states ({who})"
        else:
            said = f"{' and '.join((MANAGER, *(others(case.drift) or ('somebody',))))} change it back again and again"
        self._tell(EventType.FOUGHT, case.drift, f"{said}; healed with growing pauses from now on; {found(case.drift)}")

    def _failed(self, finding: _Finding, was: Live | None, result: ObjectResult) -> None:
        identity = result.identity
        self._look_again(identity, max(_RETRY, self._patience.pause(identity)))
        if result.outcome is Outcome.BLOCKED:
            return
        case = self._open(finding, was, DriftState.FOUND, f"it could not be healed: {result.message}")
        case.failed = True
        if not case.told and identity not in self._fights:
            self._begin(case, hint=result.hint)

    def _healed(self, finding: _Finding, was: Live | None) -> None:
        """It is as Git states it again, by our doing."""
        identity = finding.change.identity
        case = self._cases.pop(identity, None)
        self._later.pop(identity, None)
        drift = self._drift_of(finding, was, DriftState.HEALED, "")
        drift = replace(drift, ended=self._clock.now())
        if identity in self._fights:  # the end of that is said when it stays so
            self._fights[identity] = replace(self._fights[identity], times=drift.times)
            self._drifts.put(self._fights[identity])
            if case is not None and case.told:
                self._tell(EventType.HEALED, drift, "as Git states it again")
            return
        if case is None or not case.told:
            self._tell(EventType.DRIFTED, replace(drift, state=DriftState.FOUND, ended=None), found(drift))
        self._drifts.end(drift)
        self._tell(EventType.HEALED, drift, "as Git states it again")

    def _well(self, identity: Identity) -> None:
        """It is as Git states it."""
        if identity in self._cases:
            self._restored(identity, "as Git states it again, not by our doing")

    def _restored(self, identity: Identity, message: str) -> None:
        case = self._cases.pop(identity)
        self._later.pop(identity, None)
        drift = replace(case.drift, state=DriftState.RESTORED, until=None, reason="", ended=self._clock.now())
        if identity in self._fights:
            self._drifts.put(self._fights[identity])
        elif case.told:
            self._drifts.end(drift)
        else:
            self._drifts.drop(drift.source, identity)
        if case.told:
            self._tell(EventType.RESTORED, drift, message)

    # -- the record ---------------------------------------------------------------------------------------------------

    def _look_again(self, identity: Identity, pause: float) -> None:
        self._later[identity] = self._clock.monotonic() + pause

    def _open(
        self, finding: _Finding, was: Live | None, state: DriftState, reason: str, *, until: datetime | None = None
    ) -> _Case:
        """The case of what was found, as it is now."""
        identity = finding.change.identity
        drift = replace(self._drift_of(finding, was, state, reason), until=until)
        digest = finding.change.manifest.digest if finding.change.manifest is not None else ""
        case = self._cases.get(identity)
        if case is None:
            case = self._cases[identity] = _Case(drift, digest)
        case.drift, case.digest, case.failed = drift, digest, False
        case.uid = finding.uid or (was.uid if was is not None else "")
        case.ours = finding.ours
        self._drifts.put(drift)
        return case

    def _drift_of(self, finding: _Finding, was: Live | None, state: DriftState, reason: str) -> Drift:
        return Drift(
            self._config.name,
            finding.change.identity,
            finding.kind,
            finding.noticed,
            finding.mode,
            state,
            drifted_fields(finding.change, was),
            reason=reason,
            times=self._patience.times(finding.change.identity),
        )

    def _begin(self, case: _Case, hint: str = "") -> None:
        case.told = True
        reason = f"; {case.drift.reason}" if case.drift.reason else ""
        self._tell(EventType.DRIFTED, case.drift, f"{found(case.drift)}{reason}", hint=hint)

    def _tell(self, kind: EventType, drift: Drift, message: str, *, hint: str = "") -> None:
        self._drifts.tell(kind, drift, message, revision=self._revision, hint=hint)


def _no_effect(change: Change, left: tuple[FieldChange, ...], was: Live, became: Live) -> bool:
    """Whether an apply left what differed as it was."""
    if not change.fields or change.identity.group_kind == SECRET:  # whose fields look the same whatever they hold
        return bool(left or not change.fields) and alike(was, became)
    return left == change.fields
