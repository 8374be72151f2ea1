"""From events to incidents."""

from dataclasses import replace

import pytest
from alert_events import WEB, at, config_map, drift, drifted, event, healed

from reconciler.alerts.incident import Incident, Key
from reconciler.alerts.incidents import Incidents, News, Turn
from reconciler.model.alerting import Urgency
from reconciler.model.event import BEGINS, ENDS, Event, EventType, Topic
from reconciler.model.manifest import DriftMode


def turns(register: Incidents, *events: Event) -> list[Turn]:
    return [news.turn for each in events for news in register.take(each)]


def only(news: tuple[News, ...]) -> Incident:
    (one,) = news
    return one.incident


@pytest.mark.parametrize("begin", [kind for kind in BEGINS if kind is not EventType.FOUGHT])
def test_each_topic_begins_and_ends(begin: EventType) -> None:
    topic = BEGINS[begin]
    for end in (kind for kind, ended in ENDS.items() if ended is topic):
        register = Incidents("test")
        began = only(register.take(event(begin, 0, subject="x")))
        assert (began.key.topic, began.since, began.ended) == (topic, at(0), None)
        over = only(register.take(event(end, 90, subject="x")))
        assert (over.id, over.since, over.ended, over.outcome) == (began.id, at(0), at(90), end.value)
        assert not register.open


def test_known_by_what_it_is_about_not_by_its_text() -> None:
    register = Incidents("test")
    said = [register.take(event(EventType.HELD, n, identity=WEB, message=f"held for {n} seconds")) for n in range(3)]
    assert [news.turn for each in said for news in each] == [Turn.BEGAN, Turn.SAID_AGAIN, Turn.SAID_AGAIN]
    assert only(said[2]).id == only(said[0]).id
    assert only(said[2]).since == at(0)
    assert only(said[2]).message == "held for 2 seconds"
    other = only(register.take(event(EventType.HELD, 5, identity=config_map(1))))
    assert other.id != only(said[0]).id


def test_the_id_depends_on_everything_that_tells_incidents_apart() -> None:
    base = event(EventType.FAILED, identity=WEB, subject="a")
    variants = [
        base,
        replace(base, source="blog"),
        replace(base, identity=config_map(1)),
        replace(base, subject="b"),
        replace(base, type=EventType.HELD),
        replace(base, time=at(1)),
    ]
    ids = [only(Incidents("test").take(each)).id for each in variants]
    ids.append(only(Incidents("other").take(base)).id)
    assert len(set(ids)) == len(ids)
    assert only(Incidents("test").take(replace(base, message="other words"))).id == ids[0]


def test_an_end_without_a_beginning_means_nothing_unless_something_was_healed() -> None:
    register = Incidents("test")
    for end in ENDS:
        if end is not EventType.HEALED:
            assert register.take(event(end, identity=WEB)) == ()
    notice = only(register.take(event(EventType.HEALED, 9, identity=WEB, drift=drift(seconds=4))))
    assert (notice.since, notice.ended, notice.outcome) == (at(4), at(9), "healed")
    assert not register.open


def test_what_a_drift_says_is_kept_in_words() -> None:
    incident = only(Incidents("test").take(drifted()))
    assert [(f.path, f.wanted, f.found) for f in incident.fields] == [
        ("spec.replicas", "3", "5"),
        ("metadata.labels[tier]", "front", "nothing"),
    ]
    assert incident.by == ("kubectl-edit at 10:02:58",)
    assert (incident.wanted, incident.commit) == ("apps/web.yaml:12", "1a2b3c4d5e6f Ann Bee: Run three of them")


def test_what_is_healed_is_only_worth_knowing() -> None:
    assert only(Incidents().take(drifted(mode=DriftMode.HEAL))).urgency is Urgency.INFO
    assert only(Incidents().take(drifted(mode=DriftMode.ALERT))).urgency is Urgency.WARNING
    assert only(Incidents().take(event(EventType.DEGRADED, identity=WEB))).urgency is Urgency.CRITICAL


def test_long_and_unfit_text_is_cut() -> None:
    incident = only(
        Incidents().take(event(EventType.FAILED, identity=WEB, message="a\x1b[31m\n\u202eb" + "x" * 10_000))
    )
    assert incident.message.startswith("a [31m b")
    assert len(incident.message) == 500


def test_a_spec_that_is_wrong_in_several_ways_is_one_incident_with_all_of_them() -> None:
    register = Incidents("test")
    wrong = [
        event(EventType.INVALID, 0, subject="a.yaml", message=text, revision=revision)
        for text, revision in (("one", "1"), ("two", "1"), ("one", "1"), ("three", "2"))
    ]
    said = [only(register.take(each)).message for each in wrong]
    assert said == ["one", "one\ntwo", "one\ntwo", "three"]


def test_while_there_is_a_fight_its_drifts_are_not_told() -> None:
    register = Incidents("test")
    assert turns(register, drifted(0), healed(1), drifted(2), event(EventType.FOUGHT, 3, identity=WEB)) == [
        Turn.BEGAN,
        Turn.ENDED,
        Turn.BEGAN,
        Turn.ABSORBED,
        Turn.BEGAN,
    ]
    assert turns(register, drifted(4), healed(5)) == [Turn.SETTLED]
    assert turns(register, drifted(6), healed(7), drifted(8, config_map(1))) == [Turn.SETTLED, Turn.BEGAN]
    assert turns(register, event(EventType.CALMED, 9, identity=WEB)) == [Turn.ENDED]
    assert turns(register, drifted(10)) == [Turn.BEGAN]


def test_what_still_differs_when_a_fight_is_over_is_told() -> None:
    register = Incidents("test")
    register.take(event(EventType.FOUGHT, 0, identity=WEB))
    assert register.take(drifted(1)) == ()
    over, drift_began = register.take(event(EventType.CALMED, 2, identity=WEB))
    assert (over.turn, drift_began.turn) == (Turn.ENDED, Turn.BEGAN)
    assert drift_began.incident.since == at(1)


def test_more_than_can_be_followed_is_counted() -> None:
    register = Incidents("test", most=3)
    begun = [turn for n in range(5) for turn in turns(register, drifted(n, config_map(n)))]
    assert begun == [Turn.BEGAN] * 3 + [Turn.UNCOUNTED] * 2
    assert len(register.open) == 3
    assert turns(register, event(EventType.RESTORED, 9, identity=config_map(4))) == []
    assert turns(register, healed(9, config_map(0)), drifted(10, config_map(4))) == [Turn.ENDED, Turn.BEGAN]


def test_what_an_earlier_life_left_open_is_known_again_or_ends() -> None:
    before = Incidents("test")
    first, second = (only(before.take(drifted(0, config_map(n)))) for n in (1, 2))
    register = Incidents("test")
    register.restore(first)
    register.restore(second)
    again = only(register.take(drifted(100, config_map(1))))
    assert (again.id, again.since) == (first.id, at(0))
    gone = register.unsure(lambda key: key.source == "shop")
    assert [key.identity for key in gone] == [config_map(2)]
    over = only(register.forget(gone, at(160)))
    assert (over.id, over.ended, over.outcome) == (second.id, at(160), "")
    assert register.forget(gone, at(170)) == ()
    assert set(register.open) == {Key(Topic.DRIFT, "shop", config_map(1), "")}


def test_a_drift_whose_fight_is_restored_stays_untold() -> None:
    before = Incidents("test")
    before.take(event(EventType.FOUGHT, 0, identity=WEB))
    before.take(drifted(1))
    for order in (1, -1):
        register = Incidents("test")
        for incident in list(before.open.values())[::order]:
            register.restore(incident)
        assert register.take(drifted(2)) == ()
