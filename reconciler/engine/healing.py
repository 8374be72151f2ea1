"""What was seen to drift, and when to heal it: at once, or with growing pauses where somebody keeps changing it back.

Healing forces exactly the stated fields (rule 5). Where an apply leaves the object as it was, what looked like drift is
the server's own spelling of the same thing, or an admission webhook's, and is not told; nor is it tried again for ten
minutes. Where two applies leave the same difference, it
is reported once as non-convergent and left alone with growing pauses, never looped (rule 13).
"""

from dataclasses import dataclass
from typing import Final

from reconciler.clock import Clock
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Change, FieldChange

_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 3600.0
_CALM = 600.0  # an object that stayed as healed for this long is forgiven
_FUTILE = 600.0  # seconds until what had no effect is tried again
_KEPT = 100  # histories that are not worth looking through for calm ones
SECRET: Final = GroupKind("", "Secret")


@dataclass(slots=True)
class _History:
    healed: float  # when, on the monotonic clock
    fields: tuple[str, ...]  # which field paths were healed
    times: int = 1
    reported: bool = False


class Healing:
    """One source's memory of what was healed, bounded by what drifted lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._history: dict[Identity, _History] = {}
        self._unaffected: dict[Identity, tuple[float, tuple[FieldChange, ...]]] = {}
        self._kept = _KEPT

    def pause(self, identity: Identity, fields: tuple[str, ...]) -> float:
        """Seconds to leave `identity` alone before its `fields` are healed again; 0 to heal now."""
        past = self._history.get(identity)
        if past is None or past.fields != fields:
            return 0.0
        now = self._clock.monotonic()
        if self._calm(past, now):
            del self._history[identity]
            return 0.0
        return max(0.0, self._wait(past) - (now - past.healed))

    def _wait(self, past: _History) -> float:
        # The first repetition is healed at once: a person who tries twice is no controller.
        return 0.0 if past.times < 2 else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(past.times - 2, 20))

    def healed(self, identity: Identity, fields: tuple[str, ...]) -> None:
        """`fields` of `identity` were healed just now."""
        past = self._history.get(identity)
        times = past.times + 1 if past is not None and past.fields == fields else 1
        reported = past is not None and past.fields == fields and past.reported
        self._history[identity] = _History(self._clock.monotonic(), fields, times, reported)
        if len(self._history) > 2 * self._kept:
            self._forget()

    def _forget(self) -> None:
        now = self._clock.monotonic()
        self._history = {i: past for i, past in self._history.items() if not self._calm(past, now)}
        self._kept = max(_KEPT, len(self._history))

    def _calm(self, past: _History, now: float) -> bool:
        return now - past.healed > max(_CALM, 2 * self._wait(past))

    def had_no_effect(self, change: Change) -> None:
        """Applying `change` left the object as it was: a webhook rewrites it, or the server spells it its own way."""
        if change.fields and change.identity.group_kind != SECRET:  # whose fields look the same whatever they hold
            self._unaffected[change.identity] = (self._clock.monotonic(), change.fields)
            if len(self._unaffected) > 2 * self._kept:
                del self._unaffected[next(iter(self._unaffected))]

    def futile(self, change: Change) -> bool:
        """Whether exactly this was applied without an effect lately, so that each status update need not ask anew."""
        when, fields = self._unaffected.get(change.identity, (-_FUTILE, ()))
        return bool(fields) and fields == change.fields and self._clock.monotonic() - when < _FUTILE

    def fight(self, identity: Identity) -> bool:
        """Whether `identity` is being changed back again and again, and that was not said yet. Says so only once."""
        past = self._history.get(identity)
        if past is None or past.times < 2 or past.reported:
            return False
        past.reported = True
        return True
