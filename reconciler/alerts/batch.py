"""What one message says, before it is put into words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from reconciler.alerts.incident import Incident
from reconciler.model.event import Topic


class Phase(StrEnum):
    BEGAN = "began"
    LASTS = "lasts"  # a reminder
    ENDED = "ended"
    PASSED = "passed"  # it began and ended, and only now is spoken of


class Item(NamedTuple):
    """One line of a message. `times` is how often it began since the receiver last heard of it."""

    phase: Phase
    incident: Incident
    times: int = 1


class Group(NamedTuple):
    """What is told together."""

    source: str
    topic: Topic


@dataclass(frozen=True, slots=True)
class Batch:
    """One message's content, made of `of`. `more` things happened beside `items` that are only counted."""

    group: Group
    items: tuple[Item, ...]
    more: int = 0
    of: tuple[Incident, ...] = ()
