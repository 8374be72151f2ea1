"""What is said of incidents, in English: one thing, or several at once."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from reconciler.alerts.batch import Phase
from reconciler.alerts.incident import Incident, Key
from reconciler.model.drift import DriftKind
from reconciler.model.event import EventType, Topic


class _Words(NamedTuple):
    """After a name, and after a number of `things`."""

    one: str
    many: str


_THINGS: Final[Mapping[Topic, str]] = {Topic.SPEC: "specs", Topic.IMAGE: "images"}
_NAMES: Final[Mapping[Topic, str]] = {
    Topic.START: "the daemon",
    Topic.SYNC: "the sync",
    Topic.REPOSITORY: "the repository",
}

_SAID: Final[Mapping[Topic, Mapping[Phase, _Words]]] = {
    Topic.START: {
        Phase.BEGAN: _Words("cannot start", "cannot start"),
        Phase.LASTS: _Words("still cannot start", "still cannot start"),
        Phase.ENDED: _Words("has started", "have started"),
        Phase.PASSED: _Words("could not start, and has now", "could not start, and have now"),
    },
    Topic.SYNC: {
        Phase.BEGAN: _Words("failed", "failed"),
        Phase.LASTS: _Words("still fails", "still fail"),
        Phase.ENDED: _Words("works again", "work again"),
        Phase.PASSED: _Words("failed, and works again", "failed, and work again"),
    },
    Topic.OBJECT: {
        Phase.BEGAN: _Words("failed", "failed"),
        Phase.LASTS: _Words("still fails", "still fail"),
        Phase.ENDED: _Words("is well again", "are well again"),
        Phase.PASSED: _Words("failed, and is well again", "failed, and are well again"),
    },
    Topic.HELD: {
        Phase.BEGAN: _Words("is held", "are held"),
        Phase.LASTS: _Words("is still held", "are still held"),
        Phase.ENDED: _Words("is no longer held", "are no longer held"),
        Phase.PASSED: _Words("was held for a while", "were held for a while"),
    },
    Topic.DRIFT: {
        Phase.BEGAN: _Words("drifted", "drifted"),
        Phase.LASTS: _Words("still differs from Git", "still differ from Git"),
        Phase.ENDED: _Words("is as Git states it again", "are as Git states them again"),
        Phase.PASSED: _Words("drifted, and is as Git states it again", "drifted, and are as Git states them again"),
    },
    Topic.FIGHT: {
        Phase.BEGAN: _Words("is fought over", "are fought over"),
        Phase.LASTS: _Words("is still fought over", "are still fought over"),
        Phase.ENDED: _Words("is no longer fought over", "are no longer fought over"),
        Phase.PASSED: _Words("was fought over", "were fought over"),
    },
    Topic.HEALTH: {
        Phase.BEGAN: _Words("is degraded", "are degraded"),
        Phase.LASTS: _Words("is still degraded", "are still degraded"),
        Phase.ENDED: _Words("is healthy again", "are healthy again"),
        Phase.PASSED: _Words("was degraded, and is healthy again", "were degraded, and are healthy again"),
    },
    Topic.REPOSITORY: {
        Phase.BEGAN: _Words("cannot be read", "cannot be read"),
        Phase.LASTS: _Words("still cannot be read", "still cannot be read"),
        Phase.ENDED: _Words("answers again", "answer again"),
        Phase.PASSED: _Words("could not be read, and answers again", "could not be read, and answer again"),
    },
    Topic.SPEC: {
        Phase.BEGAN: _Words("is invalid", "are invalid"),
        Phase.LASTS: _Words("is still invalid", "are still invalid"),
        Phase.ENDED: _Words("is valid again", "are valid again"),
        Phase.PASSED: _Words("was invalid, and is valid again", "were invalid, and are valid again"),
    },
    Topic.IMAGE: {
        Phase.BEGAN: _Words("cannot be brought up to date", "cannot be brought up to date"),
        Phase.LASTS: _Words("still cannot be brought up to date", "still cannot be brought up to date"),
        Phase.ENDED: _Words("is up to date again", "are up to date again"),
        Phase.PASSED: _Words("was not up to date, and is again", "were not up to date, and are again"),
    },
    Topic.PLACE: {
        Phase.BEGAN: _Words("has replicas without a place", "have replicas without a place"),
        Phase.LASTS: _Words("still has replicas without a place", "still have replicas without a place"),
        Phase.ENDED: _Words("has a place for every replica again", "have a place for every replica again"),
        Phase.PASSED: _Words("had replicas without a place for a while", "had replicas without a place for a while"),
    },
}
_HEALED: Final[Mapping[Phase, _Words]] = {
    Phase.ENDED: _Words("was healed", "were healed"),
    Phase.PASSED: _Words("drifted and was healed", "drifted and were healed"),
}
_DELETED: Final[Mapping[Phase, _Words]] = {
    Phase.BEGAN: _Words("was deleted", "were deleted"),
    Phase.LASTS: _Words("is still missing", "are still missing"),
    Phase.PASSED: _Words("was deleted, and is there again", "were deleted, and are there again"),
}
_REPLACED: Final[Mapping[Phase, _Words]] = {
    Phase.BEGAN: _Words("was replaced", "were replaced"),
    Phase.LASTS: _Words("is still another one", "are still other ones"),
    Phase.PASSED: _Words("was replaced and healed", "were replaced and healed"),
}
_OF_KIND: Final = {DriftKind.DELETED.value: _DELETED, DriftKind.REPLACED.value: _REPLACED}


class Saying(NamedTuple):
    """What decides about the words: those that are alike are counted together."""

    topic: Topic
    phase: Phase
    kind: str
    outcome: str


def name_of(key: Key) -> str:
    """What an incident is about: "Deployment/shop/web", "apps/web.yaml", "the repository"."""
    if key.topic is Topic.SPEC and key.subject:
        return key.subject
    return str(key.identity) if key.identity else key.subject or _NAMES.get(key.topic, "something")


def saying_of(incident: Incident, phase: Phase) -> Saying:
    drift = incident.key.topic is Topic.DRIFT
    kind = incident.kind if drift and incident.kind in _OF_KIND and phase is not Phase.ENDED else ""
    return Saying(incident.key.topic, phase, kind, incident.outcome)


def _words(saying: Saying) -> _Words:
    topic, phase, kind, outcome = saying
    if kind:
        return _OF_KIND[kind][phase]
    if topic is Topic.DRIFT and outcome == EventType.HEALED and phase in _HEALED:
        return _HEALED[phase]
    return _SAID[topic][phase]


def state_of(incident: Incident, phase: Phase) -> str:
    """What is so of it: "drifted and was healed"."""
    return _words(saying_of(incident, phase)).one


def states_of(saying: Saying, count: int) -> str:
    """What is so of several: "1,000 objects drifted and were healed"."""
    return f"{count:,} {_THINGS.get(saying.topic, 'objects')} {_words(saying).many}"
