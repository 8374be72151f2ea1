"""Drift of one source: who is suspected, what is told, what is healed and when."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster.cache import LiveCache
from reconciler.engine.decide import Decider, alike
from reconciler.engine.execute import WRITES
from reconciler.engine.healing import SECRET, Healing
from reconciler.engine.telling import Teller
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Action, Change, FieldChange, Live
from reconciler.model.manifest import ANNOTATION_ORIGIN, DriftMode
from reconciler.model.result import ObjectResult, Outcome

# Watch events come in bursts (a roll-out touches an object many times): look once they have settled a little.
SUSPECT_DELAY: Final = 0.05


class Tending:
    """Knows which objects are to be looked at, and what was already said and done about them.

    `wake` is called with the seconds until somebody should `take` the suspects.
    """

    def __init__(
        self, cache: LiveCache, decider: Decider, teller: Teller, clock: Clock, wake: Callable[[float], None]
    ) -> None:
        self._cache = cache
        self._decider = decider
        self._tell = teller
        self._wake = wake
        self._healing = Healing(clock)
        self._suspects: set[Identity] = set()
        self._paused: set[Identity] = set()
        self._alerted: dict[Identity, tuple[FieldChange, ...]] = {}  # drift that was told and is left alone

    def suspect(self, identity: Identity) -> None:
        """The watch showed a change. Looking at it there would cost every status update a comparison."""
        if not self._suspects:
            self._wake(SUSPECT_DELAY)
        self._suspects.add(identity)

    def remind(self) -> None:
        """Wake again for what could not be looked at yet."""
        if self._suspects:
            self._wake(SUSPECT_DELAY)

    def take(self, busy: set[Identity]) -> set[Identity]:
        """The suspects, less those that a pass is about to write anyway."""
        taken = (self._suspects | self._paused) - busy
        self._suspects &= busy
        self._paused &= busy
        return taken

    def in_a_pass(self, change: Change) -> Change | None:
        """The change as a pass is to make it: what somebody else changed is the business of healing."""
        manifest = change.manifest
        if self._healing.futile(change) and self._same_text(change):
            return None
        if manifest is None or change.action not in WRITES or not self._drifted(change):
            return change
        if manifest.policy.drift is DriftMode.ALERT:
            return replace(change, action=Action.HOLD, reason=f"{change.reason}; it is told, not healed")
        heals = manifest.policy.drift is DriftMode.HEAL
        return change if heals and not self._healing.pause(change.identity, _paths(change)) else None

    def forces(self, change: Change) -> bool:
        """Whether a pass may take fields back from others (rules 4 and 5): only to make good what they did."""
        manifest = change.manifest
        return manifest is not None and manifest.policy.drift is DriftMode.HEAL and self._same_text(change)

    async def to_heal(self, looked_at: Iterable[Identity], found: Iterable[Change]) -> list[Change]:
        """Of the changes that were `found`, those to make now; the rest is told, or waits for its pause."""
        found = [change for change in found if change.action in WRITES and change.manifest is not None]
        for identity in set(looked_at).difference(change.identity for change in found):
            self._alerted.pop(identity, None)
        now: list[Change] = []
        for change in found:
            mode = change.manifest.policy.drift if change.manifest else DriftMode.IGNORE
            pause = self._healing.pause(change.identity, _paths(change))
            if mode is DriftMode.ALERT and self._alerted.get(change.identity) != change.fields:
                self._alerted[change.identity] = change.fields
                if await self._decider.confirmed(change):
                    self._tell.drifted(change)
            elif mode is DriftMode.HEAL and pause > 0:
                self._paused.add(change.identity)
                self._wake(pause)
                if self._healing.fight(change.identity):
                    self._tell.fought(change)
            elif mode is DriftMode.HEAL and not self._healing.futile(change):
                now.append(change)
        return now

    def healed(
        self,
        changes: Iterable[Change],
        results: Mapping[Identity, ObjectResult],
        before: Mapping[Identity, Live | None],
        after: Mapping[Identity, Live],
    ) -> bool:
        """Tell what healing did; returns whether all of it succeeded."""
        well = True
        for change in changes:
            outcome = results[change.identity].outcome
            was, became = before[change.identity], after.get(change.identity)
            if outcome is not Outcome.DONE:
                well = well and outcome is Outcome.SUPERSEDED
            elif was is None or became is None:
                self._mended(change)
            elif alike(was, became):
                self._healing.had_no_effect(change)
            else:
                self._mended(change, self._decider.left(change, became))
        return well

    def _mended(self, change: Change, left: tuple[FieldChange, ...] = ()) -> None:
        """Something was done about `change`; `left` is what differs all the same, as webhooks may want it."""
        secret = change.identity.group_kind == SECRET  # whose fields look the same whatever they hold
        if left and left == change.fields and not secret:  # somebody else changed another part at the same time
            self._healing.had_no_effect(change)
            return
        self._healing.healed(change.identity, _paths(change))
        if not left:
            self._tell.healed(change)

    def _same_text(self, change: Change) -> bool:
        """Whether the object was last applied from this very text: then what differs was changed by somebody else."""
        live = self._cache.get(change.identity)
        if live is None or change.manifest is None:
            return False
        origin = (change.manifest.object["metadata"].get("annotations") or {}).get(ANNOTATION_ORIGIN)
        return live.annotations.get(ANNOTATION_ORIGIN) == origin

    def _drifted(self, change: Change) -> bool:
        """Whether somebody else made every difference: the text is the same, and no field is ours alone any more."""
        return (
            bool(change.fields)
            and all(field.note or field.before is ABSENT for field in change.fields)
            and self._same_text(change)
        )


def _paths(change: Change) -> tuple[str, ...]:
    return tuple(field.path for field in change.fields)
