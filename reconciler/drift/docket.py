"""The cases of one source: what drifts, what is fought over, when to look again, and what was told of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from reconciler.clock import Clock
from reconciler.drift.drifts import Drifts
from reconciler.drift.finding import Finding
from reconciler.drift.patience import Patience
from reconciler.drift.wording import drifted_fields, found, others
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.drift import Drift, DriftState
from reconciler.model.event import EventType
from reconciler.model.manifest import MANAGER

_RETRY: Final = 2.0  # seconds until something is tried again, at least
_STUBBORN: Final = 30.0  # the same where an apply does not bring what Git states
_RESTING: Final = frozenset({DriftState.FIGHT, DriftState.STUBBORN})


@dataclass(slots=True)
class Case:
    """An object that is not as Git states it. `uid` and `ours` are as in a Finding."""

    drift: Drift
    digest: str  # of what Git states
    uid: str = ""
    ours: bool = False
    told: bool = False
    failed: bool = False  # it could not be healed


class Docket:
    """Bounded by what is open. `patience` counts what was tried; `revision` is the commit that events name."""

    def __init__(self, source: str, drifts: Drifts, patience: Patience, clock: Clock) -> None:
        self.revision = ""
        self._source = source
        self._drifts = drifts
        self._patience = patience
        self._clock = clock
        self._cases: dict[Identity, Case] = {}
        self._fights: dict[Identity, Drift] = {}  # told, and not calm yet
        self._later: dict[Identity, float] = {}  # when to look at an object again, on the monotonic clock

    def __contains__(self, identity: object) -> bool:
        return identity in self._cases

    def __iter__(self) -> Iterator[Identity]:
        return iter(tuple(self._cases))

    def __len__(self) -> int:
        return len(self._cases)

    def get(self, identity: Identity) -> Case | None:
        return self._cases.get(identity)

    def fights(self) -> list[Identity]:
        """The objects that are, or were a moment ago, fought over."""
        return list(self._fights)

    # -- when to look -------------------------------------------------------------------------------------------------

    def rests(self, identity: Identity) -> bool:
        """Whether it is left alone for a while, whatever happens to it."""
        case = self._cases.get(identity)
        later = self._later.get(identity, 0.0)
        return case is not None and case.drift.state in _RESTING and later > self._clock.monotonic()

    def look_again(self, identity: Identity, pause: float) -> None:
        """Have it among those that are `due` in `pause` seconds."""
        self._later[identity] = self._clock.monotonic() + pause

    def due(self) -> list[Identity]:
        """What is to be looked at again now; it is not due a second time."""
        now = self._clock.monotonic()
        found = [identity for identity, at in self._later.items() if at <= now]
        for identity in found:
            del self._later[identity]
        return found

    def next_due(self) -> float | None:
        """Seconds until something is due, or a fight is over; None where nothing is to come."""
        now = self._clock.monotonic()
        times = [at - now for at in self._later.values()]
        times += [self._patience.calm(identity) for identity in self._fights if identity not in self._cases]
        return max(0.0, min(times)) if times else None

    # -- what happened ------------------------------------------------------------------------------------------------

    def open(
        self, finding: Finding, was: Live | None, state: DriftState, reason: str, until: datetime | None = None
    ) -> Case:
        """The case of what was found, as it is now. Nothing is told yet."""
        drift = replace(self._drift(finding, was, state), reason=reason, until=until)
        case = self._cases.get(finding.identity)
        if case is None:
            case = self._cases[finding.identity] = Case(drift, finding.digest)
        case.drift, case.digest, case.failed = drift, finding.digest, False
        case.uid = finding.uid or (was.uid if was is not None else "")
        case.ours = finding.ours
        self._drifts.put(drift)
        return case

    def begin(self, case: Case, hint: str = "") -> None:
        """Tell it, if that was not done."""
        if not case.told:
            case.told = True
            reason = f"; {case.drift.reason}" if case.drift.reason else ""
            self._tell(EventType.DRIFTED, case.drift, f"{found(case.drift)}{reason}", hint=hint)

    def failed(self, finding: Finding, was: Live | None, reason: str, hint: str) -> None:
        """It could not be healed: that is tried again."""
        identity = finding.identity
        self.retry(identity)
        case = self.open(finding, was, DriftState.FOUND, f"it could not be healed: {reason}")
        case.failed = True
        if identity not in self._fights:
            self.begin(case, hint)

    def retry(self, identity: Identity) -> None:
        """Look at it again after a pause that grows with the tries."""
        self.look_again(identity, max(_RETRY, self._patience.pause(identity)))

    def pause(self, finding: Finding, was: Live | None, *, stubborn: bool = False) -> None:
        """Somebody keeps changing it back, or it never comes out as stated: leave it alone for a while."""
        identity = finding.identity
        before = self._cases.get(identity)
        stubborn = stubborn or (before is not None and before.drift.state is DriftState.STUBBORN)
        pause = max(_STUBBORN if stubborn else _RETRY, self._patience.pause(identity))
        self.look_again(identity, pause)
        if before is not None and before.failed:
            return  # nobody fights: it is tried again
        state = DriftState.STUBBORN if stubborn else DriftState.FIGHT
        case = self.open(finding, was, state, "", self._clock.now() + timedelta(seconds=pause))
        first = identity not in self._fights
        self._fights[identity] = case.drift
        if first:
            said = "applying it never makes it what Git states (an admission webhook rewrites it?)"
            if not stubborn:
                sides = (MANAGER, *(others(case.drift) or ("somebody",)))
                said = f"{' and '.join(sides)} change it back again and again"
            self._tell(EventType.FOUGHT, case.drift, f"{said}; healed with growing pauses; {found(case.drift)}")

    def healed(self, finding: Finding, was: Live | None) -> None:
        """It is as Git states it again, by our doing."""
        identity = finding.identity
        case = self._cases.pop(identity, None)
        self._later.pop(identity, None)
        drift = replace(self._drift(finding, was, DriftState.HEALED), ended=self._clock.now())
        told = case is not None and case.told
        if identity in self._fights:  # the end of that is told when it stays so
            resting = "healed; it is over when it stays so"
            self._fights[identity] = replace(self._fights[identity], times=drift.times, until=None, reason=resting)
            self._drifts.put(self._fights[identity])
        else:
            if not told:
                self._tell(EventType.DRIFTED, replace(drift, state=DriftState.FOUND, ended=None), found(drift))
                told = True
            self._drifts.end(drift)
        if told:
            self._tell(EventType.HEALED, drift, "as Git states it again")

    def well(self, identity: Identity) -> None:
        """It is as Git states it, and not by our doing."""
        self.restored(identity, "as Git states it again, not by our doing")

    def restored(self, identity: Identity, message: str) -> None:
        """The case is over, if there is one."""
        self._later.pop(identity, None)
        case = self._cases.pop(identity, None)
        if case is None:
            return
        drift = replace(case.drift, state=DriftState.RESTORED, until=None, reason="", ended=self._clock.now())
        if identity in self._fights:
            self._drifts.put(self._fights[identity])
        elif case.told:
            self._drifts.end(drift)
        else:
            self._drifts.drop(self._source, identity)
        if case.told:
            self._tell(EventType.RESTORED, drift, message)

    def calm(self) -> None:
        """Say of fights that they are over."""
        for identity, fight in tuple(self._fights.items()):
            if identity not in self._cases and not self._patience.calm(identity):
                del self._fights[identity]
                over = replace(fight, state=DriftState.HEALED, until=None, ended=self._clock.now())
                self._drifts.end(over)
                self._tell(EventType.CALMED, over, "nobody has changed it back for a while")

    # -- in words -----------------------------------------------------------------------------------------------------

    def _drift(self, finding: Finding, was: Live | None, state: DriftState) -> Drift:
        return Drift(
            self._source,
            finding.identity,
            finding.kind,
            finding.noticed,
            finding.mode,
            state,
            drifted_fields(finding.change, was),
            times=self._patience.times(finding.identity),
        )

    def _tell(self, kind: EventType, drift: Drift, message: str, *, hint: str = "") -> None:
        self._drifts.tell(kind, drift, message, revision=self.revision, hint=hint)
