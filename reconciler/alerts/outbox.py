"""What one receiver was told, what it is still to be told, and when: grouped by source and topic. Pure, and bounded.

Nothing is queued as a sequence. For each key there is what the receiver knows and what is so, and the next message is
the difference. Whatever happens while a receiver is down, or within a group's wait, is one line about each object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.alerts.batch import Batch, Group, Item, Phase
from reconciler.alerts.incident import Incident, Key
from reconciler.alerts.known import Known, Pending, Standing, State, Told, difference
from reconciler.model.drift import DriftKind

MOST: Final = 2_000  # untold things that are over and are kept; more are counted
SOON: Final = 600.0  # seconds, at least, until something that is told already is told again because it got worse
EXPIRES: Final = timedelta(days=1)  # what was over so long ago and never told is not told any more


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. `reminder` 0 is none. `most` is the number of incidents that a message may have."""

    wait: float
    interval: float
    reminder: float
    most: int


class Outbox:
    """For one receiver. Times are of a monotonic clock, in seconds."""

    def __init__(self, timing: Timing, *, most: int = MOST) -> None:
        self._timing = timing
        self._most = most
        self._groups: dict[Group, Known] = {}
        self._sending: tuple[Incident, ...] = ()  # what the batch that was handed out says
        self._over = 0  # things in `pending` that are over and that the receiver never heard of

    @property
    def depth(self) -> int:
        """How many incidents the receiver is still to be told of."""
        return sum(len(group.pending) + len(group.left) + group.more for group in self._groups.values())

    def states(self) -> Iterator[State]:
        """All that is to be remembered."""
        for group in self._groups.values():
            yield from group.states()

    def knows(self, incident: Incident) -> bool:
        """Whether the receiver was told that exactly this one began."""
        told = self._group(incident.key).told.get(incident.key)
        return told is not None and told.incident.id == incident.id

    # ---- what happens

    def put(self, incident: Incident, now: float) -> None:
        """An incident began, is said in other words, or ended."""
        group = self._group(incident.key)
        told, pending = group.told.get(incident.key), group.pending.get(incident.key)
        refused = told is not None and told.standing is Standing.REFUSED
        if told is not None and refused and (told.incident.id != incident.id or not incident.open):
            del group.told[incident.key]
            told = None
        if told is not None and told.incident.id == incident.id and incident.open:
            self._worse(group, told, incident, now)
            told.incident = incident
            if told.standing is not Standing.UNSURE:
                return
        times = 0 if told is not None and told.incident.id == incident.id else 1
        if pending is not None:
            times = pending.times + (pending.incident.id != incident.id)
            self._drop(group, incident.key)
        over = told is None and not incident.open
        if over and self._over >= self._most:
            self.count(incident.key, now)
            return
        group.pending[incident.key] = Pending(incident, times, over)
        self._over += over
        self._schedule(group, now)

    def _worse(self, group: Known, told: Told, incident: Incident, now: float) -> None:
        """What was edited is gone now: that is not kept until it is time for a reminder."""
        if told.incident.kind and told.incident.kind != incident.kind == DriftKind.DELETED:
            told.again = min(told.again, max(now + self._timing.wait, told.at + SOON))
            group.look()

    def settle(self, incident: Incident, now: float) -> None:
        """An incident ended, which matters only to a receiver that knows of it."""
        if self.knows(incident) or any(incident.id == each.id for each in self._sending):
            self.put(incident, now)
        else:
            self.absorb(incident.key)

    def absorb(self, key: Key) -> None:
        """Something else says all of it: what the receiver has not been told yet it need not be told."""
        group = self._group(key)
        pending = group.pending.get(key)
        if pending is not None and key not in group.told:
            self._drop(group, key)

    def count(self, key: Key, now: float) -> None:
        """Something happened that is only counted."""
        group = self._group(key)
        group.more += 1
        self._schedule(group, now)

    def restore(self, incident: Incident, now: float, age: float, *, sure: bool = True) -> None:
        """The receiver knows by the record of an earlier life that `incident` began, `age` seconds ago.

        Where that is not `sure` it was to be told: whether it was is not known. If it is over, the receiver is to be
        told that, whatever comes after it. Reminders keep their rhythm, however often the daemon starts.
        """
        group = self._group(incident.key)
        if not incident.open:
            group.left[incident.id] = Item(Phase.ENDED if sure else Phase.PASSED, incident)
            self._schedule(group, now)
            return
        at = now - age % self._timing.reminder if self._timing.reminder else now
        again = self._again(at) if sure else float("inf")
        group.told[incident.key] = Told(incident, at, again, Standing.KNOWN if sure else Standing.UNSURE)
        group.look()

    # ---- what is to be said

    def due(self) -> float | None:
        """When there is something to be said next; None where there is nothing."""
        times = [group.due for group in self._groups.values() if group.due is not None]
        times += [group.again for group in self._groups.values() if group.again < float("inf")]
        return min(times, default=None)

    def batch(self, now: float) -> Batch | None:
        """What is to be said now, of the group that is due longest. Say what became of it before asking again."""
        found = self._news(now) or self._reminder(now)
        self._sending = found.of if found else ()
        return found

    def _news(self, now: float) -> Batch | None:
        ready = [(group.due, name) for name, group in self._groups.items() if group.due is not None]
        for due, name in sorted(ready):
            if due > now:
                break
            group = self._groups[name]
            if group.waits():
                return self._whole(name, group)
            group.due = None  # it was absorbed
        return None

    def _whole(self, name: Group, group: Known) -> Batch:
        items: list[Item] = list(group.left.values())[: self._timing.most - 1]
        of: list[Incident] = []
        for key, pending in sorted(group.pending.items(), key=lambda each: (each[1].incident.since, str(each[0]))):
            if len(items) >= self._timing.most - 1:
                break
            items += difference(group.told.get(key), pending)
            of.append(pending.incident)
        return Batch(name, tuple(items), group.more, tuple(of))

    def _reminder(self, now: float) -> Batch | None:
        """Everything of a group that was said long ago, as soon as something of it was said too long ago."""
        for name, group in self._groups.items():
            if group.again > now:
                continue
            told = [each for key, each in group.told.items() if key not in group.pending]
            if any(each.again <= now for each in told):
                half = now - self._timing.reminder / 2
                old = [each for each in told if each.again <= now or (each.again < float("inf") and each.at <= half)]
                old = old[: self._timing.most]
                items = [Item(Phase.LASTS if each.known else Phase.BEGAN, each.incident) for each in old]
                return Batch(name, tuple(items), of=tuple(each.incident for each in old))
            for key in group.pending.keys() & group.told.keys():  # what is pending says more than a reminder
                group.told[key].again = max(group.told[key].again, self._again(now))
            group.look()
        return None

    # ---- what became of it

    def delivered(self, batch: Batch, now: float) -> None:
        """The receiver knows `batch`."""
        group = self._groups[batch.group]
        for phase, said, _times in batch.items:
            incident = said
            known = group.told.get(incident.key)
            if phase in (Phase.BEGAN, Phase.LASTS):
                later = group.pending.get(incident.key)
                if later is not None and later.incident.id == incident.id and later.incident.open:
                    incident = later.incident  # in the words of today
                elif known is not None and known.incident.id == incident.id:
                    incident = known.incident
                group.told[incident.key] = Told(incident, now, self._again(now))
            elif known is not None and (not known.known or known.incident.id == incident.id):
                del group.told[incident.key]
        self._settle(group, batch, now)

    def refused(self, batch: Batch, now: float) -> None:
        """The receiver will never take `batch`. What lasts is tried again when it would be time for a reminder."""
        group = self._groups[batch.group]
        for phase, incident, _times in batch.items:
            known = group.told.get(incident.key)
            later = group.pending.get(incident.key)
            if phase is Phase.BEGAN and (later is None or later.incident.open):
                group.told[incident.key] = Told(incident, now, self._again(now), Standing.REFUSED)
            elif phase is Phase.LASTS and known is not None:
                known.at, known.again = now, self._again(now)
            elif known is not None and (not known.known or known.incident.id == incident.id):
                del group.told[incident.key]
        self._settle(group, batch, now)

    def expire(self, now: datetime) -> int:
        """Forget what was over long ago and never told; how much that was."""
        old = now - EXPIRES
        gone = 0
        for group in self._groups.values():
            for key, pending in list(group.pending.items()):
                ended, told = pending.incident.ended, group.told.get(key)
                if ended is not None and ended < old and (told is None or not told.known):
                    self._drop(group, key)
                    group.told.pop(key, None)
                    gone += 1
            for phase, incident, _times in list(group.left.values()):
                if phase is Phase.PASSED and incident.ended is not None and incident.ended < old:
                    del group.left[incident.id]
                    gone += 1
        return gone

    # ---- keeping count

    def failed(self) -> None:
        """The batch did not arrive. It is made anew when it is asked for again, of what is so then."""
        self._sending = ()

    def _settle(self, group: Known, batch: Batch, now: float) -> None:
        self._sending = ()
        for said in batch.of:
            pending = group.pending.get(said.key)
            if pending is not None and (pending.incident.id, pending.incident.open) == (said.id, said.open):
                self._drop(group, said.key)
        for phase, incident, times in batch.items:
            group.left.pop(incident.id, None)
            if phase is not Phase.LASTS and (pending := group.pending.get(incident.key)) is not None:
                pending.times = max(0, pending.times - times)
        group.more -= batch.more
        group.look()
        if not any(item.phase is Phase.LASTS for item in batch.items):
            group.sent = now
            more_now = len(batch.items) >= self._timing.most - 1  # it did not fit into one message
            pause = 0.0 if more_now else max(self._timing.wait, self._timing.interval)
            group.due = now + pause if group.waits() else None

    def _again(self, now: float) -> float:
        """When something that is told now is told again."""
        return now + self._timing.reminder if self._timing.reminder else float("inf")

    def _drop(self, group: Known, key: Key) -> None:
        self._over -= group.pending.pop(key).over

    def _schedule(self, group: Known, now: float) -> None:
        if group.due is None:
            group.due = max(now + self._timing.wait, group.sent + self._timing.interval)

    def _group(self, key: Key) -> Known:
        return self._groups.setdefault(Group(key.source, key.topic), Known())
