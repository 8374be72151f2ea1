"""What is kept of the events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from staged import drifts

from reconciler.daemon.page.journal import Journal
from reconciler.kube.names import Identity
from reconciler.model.event import BEGINS, ENDS, Event, EventType, Topic

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WEB, CART = (Identity("apps", "Deployment", "shop", name) for name in ("web", "cart"))


def event(kind: EventType, identity: Identity | None = WEB, *, after: int = 0) -> Event:
    return Event(kind, NOW + timedelta(seconds=after), "shop", f"said {after}", identity)


def test_what_came_since_a_number() -> None:
    journal = Journal("b", kept=3)
    assert journal.since(0) == []
    for number in range(1, 6):
        journal(event(EventType.APPLIED, after=number))
    assert [entry.number for entry in journal.since(2) or ()] == [3, 4, 5]
    assert journal.since(5) == []
    assert journal.since(1) is None, "forgotten"
    assert journal.since(6) is None, "of another life"
    assert [e.message for e in journal.recent(2)] == ["said 5", "said 4"]


def test_nothing_large_is_kept() -> None:
    journal = Journal("b")
    journal(replace(event(EventType.DRIFTED), message="m" * 100_000, hint="h" * 100_000, drift=drifts()[0]))
    for kept in (*journal.recent(), *journal.open([Topic.DRIFT])):
        assert (len(kept.message), len(kept.hint), kept.drift) == (4000, 4000, None)


def test_what_lasts_is_open_until_it_ends() -> None:
    journal = Journal("b")
    journal(event(EventType.FAILED, WEB))
    journal(event(EventType.FAILED, CART, after=1))
    journal(event(EventType.FAILED, WEB, after=2))
    assert [(e.identity, e.message) for e in journal.open([Topic.OBJECT])] == [(WEB, "said 2"), (CART, "said 1")]
    journal(event(EventType.RECOVERED, WEB, after=3))
    journal(event(EventType.HEALED, CART, after=4))
    assert [e.identity for e in journal.open([Topic.OBJECT])] == [CART]


def test_every_beginning_has_an_end() -> None:
    for begin, topic in BEGINS.items():
        journal = Journal("b")
        journal(event(begin))
        assert len(journal.open([topic])) == 1
        (end,) = (kind for kind, ended in ENDS.items() if ended is topic and kind is not EventType.RESTORED)
        journal(event(end))
        assert journal.open([topic]) == ()


def test_events_of_one_object() -> None:
    journal = Journal("b")
    for number, identity in enumerate((WEB, CART, WEB)):
        journal(event(EventType.APPLIED, identity, after=number))
    assert [e.message for e in journal.about("shop", WEB)] == ["said 2", "said 0"]
    assert journal.about("other", WEB) == ()
