"""What one receiver knows about one source and topic, and what it is still to be told."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from reconciler.alerts.batch import Item, Phase
from reconciler.alerts.incident import Incident, Key


class Standing(Enum):
    KNOWN = "known"
    REFUSED = "refused"  # it would not hear of it, and so knows nothing
    UNSURE = "unsure"  # the life that was to tell it may have been killed just after it did


@dataclass(slots=True)
class Told:
    """What the receiver was told to be open, as it is known here now. `again` is when it is told the next time."""

    incident: Incident
    at: float
    again: float
    standing: Standing = Standing.KNOWN

    @property
    def known(self) -> bool:
        return self.standing is Standing.KNOWN


class State(NamedTuple):
    """What the receiver was told to be open, for `sure` or perhaps, and what it is to be told of, as that is now."""

    told: Incident | None
    sure: bool
    pending: Incident | None


@dataclass(slots=True)
class Pending:
    """Something to be told, as it is now."""

    incident: Incident
    times: int  # that it began since the receiver last heard of it
    over: bool  # it is, and the receiver knew nothing of it


@dataclass(slots=True)
class Known:
    """`due` is when the next message is, `sent` when the last one was; `more` things are only counted."""

    due: float | None = None
    sent: float = float("-inf")
    more: int = 0
    pending: dict[Key, Pending] = field(default_factory=dict)
    told: dict[Key, Told] = field(default_factory=dict)
    left: dict[str, Item] = field(default_factory=dict)  # ends that earlier lives owe, by the incident's id
    again: float = float("inf")  # the first of `told`, or earlier

    def look(self) -> None:
        """Bring `again` up to date."""
        self.again = min((told.again for told in self.told.values()), default=float("inf"))

    def waits(self) -> bool:
        """Whether there is something to be told."""
        return bool(self.pending or self.left or self.more)

    def states(self) -> Iterator[State]:
        """All that is to be remembered."""
        for phase, incident, _times in self.left.values():
            yield State(incident, phase is Phase.ENDED, incident)
        for key in self.told.keys() | self.pending.keys():
            told, pending = self.told.get(key), self.pending.get(key)
            heard = told.incident if told is not None and told.standing is not Standing.REFUSED else None
            yield State(heard, told is not None and told.known, pending.incident if pending is not None else None)


def difference(told: Told | None, pending: Pending) -> list[Item]:
    """What takes a receiver from what it knows to what is so."""
    incident, times = pending.incident, pending.times
    if told is None or told.standing is Standing.REFUSED:
        return [Item(Phase.BEGAN if incident.open else Phase.PASSED, incident, max(1, times))]
    before, over = told.incident, Phase.ENDED if told.known else Phase.PASSED
    if not incident.open:  # under the name that the receiver knows, whatever came after it and is over too
        return [Item(over, replace(incident, id=before.id, since=before.since), times + 1)]
    began = Item(Phase.BEGAN, incident, max(1, times))
    return [began] if before.id == incident.id else [Item(over, replace(before, ended=incident.since)), began]
