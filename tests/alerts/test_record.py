"""What is written down, and read again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from alert_events import WEB, at, config_map, drifted, event
from amount import examples
from hypothesis import given
from hypothesis import strategies as st

from reconciler.alerts.incident import Incident, Key, incident_id, moment
from reconciler.alerts.incidents import Incidents
from reconciler.alerts.record import LIMIT, WORDS, Entry, Record, decode, encode
from reconciler.kube.names import Identity
from reconciler.model.alerting import Urgency
from reconciler.model.event import EventType, Topic

NAMES = ("team", "bus", "on-call")
TEXT = st.text(max_size=20)
TIMES = st.integers(0, 10**11).map(lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=seconds))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    identity = draw(st.none() | st.builds(Identity, TEXT, TEXT, TEXT, TEXT))
    key = Key(draw(st.sampled_from(list(Topic))), draw(TEXT), identity, draw(TEXT))
    since = moment(draw(TIMES))
    ended = draw(st.none() | TIMES.map(moment))
    told, owed = (draw(st.frozensets(st.sampled_from(NAMES))) for _ in range(2))
    incident = Incident(
        incident_id("test", key, since),
        key,
        draw(st.sampled_from(list(Urgency))),
        since,
        message=draw(TEXT) if not told or owed else "",
        ended=ended,
        outcome=draw(st.sampled_from(["", "healed"])),
    )
    return Entry(incident, told, owed)


@given(st.lists(entries(), max_size=10, unique_by=lambda entry: entry.incident.id))
@examples(100)
def test_what_is_written_is_read_again(written: list[Entry]) -> None:
    text = encode(written, NAMES)
    read = decode(text, "test")
    assert read.left_out == 0
    assert sorted(read.entries, key=str) == sorted(written, key=str)
    assert encode(reversed(read.entries), NAMES) == text, "in one order, so that nothing is written twice"


def test_ids_are_the_same_however_the_time_was_told() -> None:
    said = drifted()
    for time in (said.time, said.time + timedelta(microseconds=999), said.time.astimezone()):
        ((_, incident),) = Incidents("test").take(replace(said, time=time))
        (entry,) = decode(encode([Entry(incident)], NAMES), "test").entries
        assert entry.incident.id == incident.id


def test_a_receiver_that_is_no_longer_configured_is_left_out() -> None:
    ((_, incident),) = Incidents("test").take(drifted())
    (entry,) = decode(encode([Entry(incident, frozenset(NAMES), frozenset(NAMES))], ("team",)), "test").entries
    assert (entry.told, entry.owed) == ({"team"}, {"team"})


def test_words_are_kept_only_of_what_is_still_to_be_told() -> None:
    ((_, incident),) = Incidents("test").take(event(EventType.HELD, identity=WEB, message="because " * 100))
    told, owed = (
        decode(encode([Entry(incident, frozenset(t), frozenset(o))], NAMES), "test").entries[0].incident.message
        for t, o in ((["team"], []), (["team"], ["team"]))
    )
    assert told == ""
    assert len(owed) == WORDS


def test_it_has_a_limit_and_what_was_told_has_precedence() -> None:
    register = Incidents("test", most=20_000)
    for n in range(10_000):
        register.take(drifted(n / 1000, config_map(n)))
    every = list(register.open.values())
    text = encode([Entry(each, frozenset(NAMES) if n % 2 else frozenset()) for n, each in enumerate(every)], NAMES)
    assert len(text.encode()) <= LIMIT
    read = decode(text, "test")
    assert len(read.entries) + read.left_out == 10_000
    kept = {entry.incident.id for entry in read.entries}
    told = {each.id for n, each in enumerate(every) if n % 2}
    assert kept <= told or told <= kept
    assert len(kept) > 2_000


def test_names_as_long_as_kubernetes_allows() -> None:
    long = Identity("g" * 253, "K" * 63, "n" * 63, "x" * 253)
    entries = [
        Entry(Incident("", Key(Topic.DRIFT, "s" * 63, long, str(n)), Urgency.INFO, at(n)), frozenset(NAMES))
        for n in range(5_000)
    ]
    text = encode(entries, NAMES)
    assert len(text.encode()) <= LIMIT
    assert decode(text, "test").left_out > 0


def row(*changed: tuple[int, object]) -> str:
    """A record of one incident, with some of its cells changed."""
    cells: list[object] = ["drift", "shop", [], "", "info", 0, None, "", [], [], ""]
    for at_cell, value in changed:
        cells[at_cell] = value
    return json.dumps({"incidents": [cells]})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"format":2}', '{"incidents":[[]]}'),
        *(row((0, "storm")), row((2, ["a"])), row((4, "dire")), row((5, 10**17)), row((6, "x")), row((8, [7]))),
    ],
)
def test_what_somebody_broke_is_no_record(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text, "test")


def test_the_row_itself_is_right() -> None:
    assert len(decode(row(), "test").entries) == 1


def test_what_is_empty_says_so() -> None:
    assert decode(encode((), NAMES), "test") == Record()
    assert json.loads(encode((), NAMES))["incidents"] == []
