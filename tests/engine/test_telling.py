"""What lasts is told when it begins and when it ends, and is known by what it concerns, not by its text."""

from dataclasses import replace
from datetime import UTC, datetime

from texts import config
from virtual import virtual
from world import world

from reconciler.clock import LoopClock
from reconciler.engine.telling import Teller
from reconciler.errors import ApiError
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action
from reconciler.model.event import BEGINS, ENDS, Event, EventType
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Revision

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A = Identity("", "ConfigMap", "shop", "a")
RESULT = SyncResult("shop", Revision("c" * 40, "main", "Ann", NOW, "Change"), NOW, NOW)


def told() -> tuple[Teller, list[Event]]:
    events: list[Event] = []
    return Teller("shop", LoopClock(), events.append), events


def types(events: list[Event]) -> list[str]:
    return [event.type.value for event in events if event.type is not EventType.SYNC_FINISHED]


def outcome(kind: Outcome, message: str = "") -> ObjectResult:
    return ObjectResult(A, Action.UPDATE, kind, message)


@virtual
async def test_a_failure_that_is_repeated_is_said_once_and_its_end_once() -> None:
    teller, events = told()
    for _ in range(3):
        teller.finished(outcome(Outcome.FAILED, "refused"))
    teller.finished(outcome(Outcome.FAILED, "refused in other words"))
    teller.finished(outcome(Outcome.DONE))
    teller.finished(outcome(Outcome.DONE))
    assert types(events) == ["failed", "failed", "recovered", "applied", "applied"]


@virtual
async def test_a_failure_that_becomes_a_hold_ends_before_the_hold_begins() -> None:
    teller, events = told()
    teller.finished(outcome(Outcome.FAILED, "refused"))
    teller.finished(outcome(Outcome.HELD, "is somebody's"))
    teller.ended(RESULT)
    assert types(events) == ["failed", "recovered", "held", "released"]


@virtual
async def test_a_pass_that_was_cut_short_ends_nothing() -> None:
    teller, events = told()
    teller.finished(outcome(Outcome.HELD, "is somebody's"))
    teller.ended(replace(RESULT, superseded=True))
    assert types(events) == ["held"]


@virtual
async def test_a_kind_that_is_not_watched_is_told_by_its_name() -> None:
    teller, events = told()
    kind = GroupKind("batch", "Job")
    teller.watched({kind: ApiError("forbidden", status=403)})
    teller.watched({kind: ApiError("forbidden", status=403)})
    teller.watched({})
    assert [(event.type.value, event.subject) for event in events] == [
        ("failed", str(kind)),
        ("recovered", str(kind)),
    ]


@virtual
async def test_an_invalid_document_is_known_by_its_file_whatever_its_line() -> None:
    teller, events = told()

    def at(line: int, text: str = "is not an integer") -> SyncResult:
        problem = Problem(Severity.ERROR, "type", Location("a.yaml", line, 3), text, identity=A)
        return replace(RESULT, problems=(problem,))

    for result in (at(3), at(3), at(9), RESULT, RESULT):
        teller.ended(result)
    assert types(events) == ["invalid", "invalid", "valid"]
    assert {(event.identity, event.subject) for event in events if event.type is not EventType.SYNC_FINISHED} == {
        (A, "a.yaml")
    }


def test_every_topic_that_begins_can_end() -> None:
    assert set(BEGINS.values()) == set(ENDS.values())
    assert not BEGINS.keys() & ENDS.keys()


@virtual
async def test_a_broken_commit_and_its_repair_are_told_as_one_story() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")})
        repository.commit({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [a]}\n"}, "Break it")
        await w.sync()
        repository.commit({"a.yaml": config("a")}, "Repair it")
        await w.sync()
        assert [event.subject for event in w.heard(EventType.INVALID)] == ["a.yaml"]
        assert [event.subject for event in w.heard(EventType.VALID)] == ["a.yaml"]
