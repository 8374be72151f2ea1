"""What differs is judged: whether it is drift, of which kind, and what is done about it."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster.cache import LiveCache, Packed
from reconciler.drift.docket import Docket
from reconciler.drift.finding import Finding
from reconciler.drift.futile import Futile
from reconciler.drift.kinds import is_ours, kind_of, unmarked
from reconciler.drift.patience import Patience
from reconciler.drift.suspects import Batch
from reconciler.engine.attendant import Between, Left, same_text
from reconciler.engine.decide import alike
from reconciler.engine.graph import rank
from reconciler.errors import ApiError
from reconciler.kube.kinds import SECRET
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, QUIET, WRITES, Action, Change, FieldChange, Live
from reconciler.model.drift import DriftKind, DriftState
from reconciler.model.manifest import ANNOTATION_ID, DriftMode, Owner
from reconciler.model.result import ObjectResult, Outcome

_AGAIN: Final = 300.0  # seconds until what we may not change is looked at again
_UNCLEAR: Final = 60.0  # the same for what could not be compared


class Judge:
    """Of one source. What it finds goes to the `docket`; what had no effect is remembered as `futile`."""

    def __init__(
        self, owner: Owner, cache: LiveCache, docket: Docket, patience: Patience, futile: Futile, clock: Clock
    ) -> None:
        self._owner = owner
        self._cache = cache
        self._docket = docket
        self._patience = patience
        self._futile = futile
        self._clock = clock

    async def judge(
        self, between: Between, batch: Batch, *, suspended: bool, window: datetime | None, afresh: bool
    ) -> Batch:
        """Look at the objects of `batch`, heal what is to be healed now, tell the rest; returns what is left undone.

        `window` is the end of the maintenance window that is open. Raises ReconcilerError.
        """
        found, well = await self._compared(between, batch, afresh=afresh)
        for identity in well:
            self._docket.well(identity)
        heal: list[Finding] = []
        confirm: list[Finding] = []
        for change in found:
            finding = await self._drift(between, change, batch[change.identity])
            if finding is None:
                if change.action is Action.CREATE:
                    between.ask()
            elif finding.mode is DriftMode.IGNORE:
                self._docket.well(change.identity)
            elif finding.mode is DriftMode.ALERT or suspended or window or finding.change.action not in WRITES:
                confirm.append(finding)
            elif self._patience.pause(change.identity) > 0:
                self._docket.pause(finding, finding.was())
            else:
                heal.append(finding)
        undone = await self._heal(between, heal) if heal else {}
        confirming = (self._confirm(between, each, suspended=suspended, window=window) for each in confirm)
        for error in await asyncio.gather(*confirming, return_exceptions=True):
            if error is not None:
                raise error
        return undone

    def finding(self, change: Change, live: Live | None, earlier: Live | None) -> Finding:
        """What `change` says of an object that is `live` now and was `earlier` a moment ago."""
        manifest = change.manifest
        assert manifest is not None  # noqa: S101 - only prunes have none
        identity = change.identity
        case = self._docket.get(identity)
        uid = (case.uid if case is not None else "") or (earlier.uid if earlier is not None else "")
        known = is_ours(live, self._owner) or is_ours(earlier, self._owner) or (case is not None and case.ours)
        version = self._cache.version(identity)
        return Finding(
            change,
            kind_of(change, live, self._owner, uid),
            manifest.policy.drift,
            case.drift.noticed if case is not None else self._clock.now(),
            uid,
            known and unmarked(live, self._owner, uid or (live.uid if live is not None else "")),
            live if not version else None,
            self._cache.at(identity, version),
        )

    # -- whether it is drift ------------------------------------------------------------------------------------------

    async def _compared(self, between: Between, batch: Batch, *, afresh: bool) -> tuple[list[Change], set[Identity]]:
        """What is to be done, what others need first in front, and the objects that are as Git states them."""
        inside = sorted(batch, key=lambda identity: (rank(identity), identity))
        # That we made an object what it is says nothing of one that did not come out as it was to be.
        anew = [identity for identity in inside if identity in self._docket]
        changes = await between.differences([i for i in inside if i not in self._docket], afresh=afresh)
        if anew:
            changes += await between.differences(anew, afresh=True)
        differing = [change for change in changes if change.action not in QUIET and not self._futile.holds(change)]
        return differing, batch.keys() - {change.identity for change in differing}

    async def _drift(self, between: Between, change: Change, before: Packed | None) -> Finding | None:
        """What the difference is; None where Git made it, or where nobody can tell."""
        identity = change.identity
        live = self._cache.get(identity)
        if live is None and change.uid:
            live = await between.look(identity)
        elif change.action is Action.REFUSE and not change.uid:
            return None  # nobody could look at it
        elif change.action is Action.UPDATE and not change.fields:  # only its version is another, for a moment
            self._docket.look_again(identity, _UNCLEAR)
            return None
        if not (between.met(identity) or identity in self._docket or same_text(change, live)):
            return None
        finding = self.finding(change, live, before.live(identity) if before is not None else None)
        if change.action is Action.HOLD and finding.ours and finding.kind is DriftKind.DISOWNED:
            field = FieldChange(f"metadata.annotations.{ANNOTATION_ID}", ABSENT, self._owner.id_of(identity))
            again = replace(change, action=Action.UPDATE, reason="our mark is gone", fields=(field,), hint="")
            return replace(finding, change=again)
        return finding

    # -- what is done about it ----------------------------------------------------------------------------------------

    async def _heal(self, between: Between, findings: Iterable[Finding]) -> Batch:
        by_identity = {finding.identity: finding for finding in findings}
        unsure: list[tuple[Finding, tuple[FieldChange, ...], Live | None]] = []
        undone: dict[Identity, Packed | None] = {}

        def done(change: Change, result: ObjectResult, live: Live | None) -> None:
            finding = by_identity[change.identity]
            if result.outcome is Outcome.SUPERSEDED:
                undone[change.identity] = finding.packed
            elif result.outcome is Outcome.BLOCKED:
                self._docket.retry(change.identity)
            elif (left := self.tried(finding, result, live, between.left)) is not None:
                unsure.append((finding, left, finding.was()))

        await between.carry_out([finding.change for finding in by_identity.values()], done)
        for finding, left, was in unsure:
            await self._converge(between, finding, left, was)
        return undone

    def tried(
        self, finding: Finding, result: ObjectResult, live: Live | None, differs: Left
    ) -> tuple[FieldChange, ...] | None:
        """Take in what a write came to. What still differs, where it is not clear what that means; else None."""
        change, was = finding.change, finding.was()
        self._patience.tried(finding.identity)
        if result.outcome is not Outcome.DONE:
            self._docket.failed(finding, was, result.message, result.hint)
            return None
        left = differs(change, live) if live is not None else ()
        if was is not None and live is not None and _no_effect(change, left, was, live):
            self._futile.add(change, left)
            self._docket.well(finding.identity)
        elif not left or self._futile.same(change, left):
            self._docket.healed(finding, was)
        else:
            return left
        return None

    async def _converge(
        self, between: Between, finding: Finding, left: tuple[FieldChange, ...], was: Live | None
    ) -> None:
        """Whether another apply would leave the same: then a webhook means it so. Else it never comes out as stated."""
        try:
            again = between.left(finding.change, await between.dry_run(finding.change))
        except ApiError:  # a webhook may not take dry-runs
            again = ()
        if again == left:
            self._futile.add(finding.change, left)
            self._docket.healed(finding, was)
        else:
            self._patience.tried(finding.identity)
            self._docket.pause(replace(finding, change=replace(finding.change, fields=left)), was, stubborn=True)

    async def _confirm(self, between: Between, finding: Finding, *, suspended: bool, window: datetime | None) -> None:
        """What is left alone is drift where an apply would change it."""
        change, identity, was = finding.change, finding.identity, finding.was()
        if identity not in self._docket and change.action in WRITES:
            pause = self._patience.pause(identity)
            if pause and window is None and not suspended:
                self._docket.look_again(identity, pause)  # it comes and goes: do not say so each time
                return
            if was is not None and not await self._matters(between, change, was):
                self._patience.tried(identity)
                self._futile.add(change, change.fields)
                return
        state, reason, until = DriftState.FOUND, "", None
        if suspended:
            state, reason = DriftState.WAITING, "the source is suspended"
        elif window is not None:
            state, reason, until = DriftState.WAITING, "a maintenance window is open", window
            self._docket.look_again(identity, (window - self._clock.now()).total_seconds())
        elif change.action not in WRITES:
            reason = change.reason
            self._docket.look_again(identity, _AGAIN)
        case = self._docket.open(finding, was, state, reason, until)
        if until is None and not case.told:
            self._patience.tried(identity)
            self._docket.begin(case, change.hint)

    async def _matters(self, between: Between, change: Change, was: Live) -> bool:
        try:
            dry = await between.dry_run(change)
        except ApiError:  # it would be refused, or a webhook takes no dry-runs: what was compared has to do
            return True
        return not _no_effect(change, between.left(change, dry), was, dry)


def _no_effect(change: Change, left: tuple[FieldChange, ...], was: Live, became: Live) -> bool:
    """Whether an apply left what differed as it was."""
    if not change.fields or change.identity.group_kind == SECRET:  # whose fields look the same whatever they hold
        return bool(left or not change.fields) and alike(was, became)
    return left == change.fields
