"""What one receiver is told, and when."""

import pytest
from alert_events import WEB, at, config_map, drifted, event, healed
from amount import examples
from hypothesis import given
from hypothesis import strategies as st

from reconciler.alerts.batch import Batch, Group, Phase
from reconciler.alerts.incident import Key
from reconciler.alerts.incidents import Incidents, Turn
from reconciler.alerts.outbox import Outbox, Timing
from reconciler.model.drift import DriftKind
from reconciler.model.event import Event, EventType, Topic

TIMING = Timing(wait=10, interval=60, reminder=3600, most=1000)


class Story:
    """Events go in by the register; the batches that come out are kept as somebody would understand them."""

    def __init__(self, timing: Timing = TIMING, *, most: int = 1000) -> None:
        self.register = Incidents("test", most=most)
        self.outbox = Outbox(timing, most=most)
        self.now = 0.0
        self.open: dict[Key, str] = {}

    def take(self, said: Event) -> None:
        for turn, incident in self.register.take(said):
            match turn:
                case Turn.ABSORBED:
                    self.outbox.absorb(incident.key)
                case Turn.SETTLED:
                    self.outbox.settle(incident, self.now)
                case Turn.UNCOUNTED:
                    self.outbox.count(incident.key, self.now)
                case _:
                    self.outbox.put(incident, self.now)

    def understand(self, batch: Batch) -> None:
        """Beginnings and ends of one incident alternate, and are told of the right one."""
        for phase, incident, _times in batch.items:
            known = self.open.get(incident.key)
            match phase:
                case Phase.BEGAN:
                    assert known is None
                    self.open[incident.key] = incident.id
                case Phase.LASTS:
                    assert known == incident.id
                case Phase.ENDED:
                    assert known == incident.id
                    del self.open[incident.key]
                case Phase.PASSED:
                    assert known is None

    def send(self, batch: Batch) -> None:
        self.understand(batch)
        self.outbox.delivered(batch, self.now)

    def until(self, end: float) -> list[tuple[float, Batch]]:
        """Deliver what is due until `end`, each batch as soon as it is due."""
        sent = []
        while (due := self.outbox.due()) is not None and due <= end:
            self.now = max(self.now, due)
            if (batch := self.outbox.batch(self.now)) is not None:
                self.send(batch)
                sent.append((self.now, batch))
        self.now = end
        return sent


def shown(batch: Batch) -> list[str]:
    return [f"{item.phase} {item.incident.key.identity.name} {item.times}" for item in batch.items]


def test_one_message_at_the_start_and_one_at_the_end() -> None:
    story = Story()
    story.take(drifted(0))
    assert [(when, shown(batch)) for when, batch in story.until(100)] == [(10, ["began web 1"])]
    for second in range(100, 200, 10):
        story.take(drifted(second))
    assert story.until(200) == []
    story.take(healed(200))
    assert [(when, shown(batch)) for when, batch in story.until(300)] == [(210, ["ended web 1"])]
    assert story.outbox.due() is None


def test_what_begins_and_ends_within_the_wait_is_one_message() -> None:
    story = Story()
    story.take(drifted(0))
    story.take(healed(1))
    ((when, batch),) = story.until(1000)
    assert (when, shown(batch)) == (10, ["passed web 1"])
    assert story.outbox.due() is None


def test_a_thousand_objects_are_few_messages() -> None:
    story = Story()
    sent = []
    for n in range(1000):
        sent += story.until(n / 50)
        story.take(drifted(n / 50, config_map(n)))
        if n >= 100:
            story.take(healed(n / 50, config_map(n - 100)))
    sent += story.until(1000)
    assert len(sent) == 2, "one after the wait, one after the interval"
    assert len(story.open) == 100
    assert sum(len(batch.items) for _, batch in sent) <= 1100
    assert all(batch.group == Group("shop", Topic.DRIFT) for _, batch in sent)


def test_messages_about_other_things_do_not_wait_for_each_other() -> None:
    story = Story()
    story.take(drifted(0))
    story.until(5)
    story.take(event(EventType.HELD, 5, identity=WEB))
    story.take(event(EventType.DRIFTED, 5, source="blog", identity=WEB))
    groups = [(when, batch.group) for when, batch in story.until(60)]
    assert groups == [
        (10, Group("shop", Topic.DRIFT)),
        (15, Group("blog", Topic.DRIFT)),
        (15, Group("shop", Topic.HELD)),
    ]


def test_between_two_messages_of_a_group_is_an_interval() -> None:
    story = Story()
    story.take(drifted(0, config_map(1)))
    story.until(12)
    story.take(drifted(12, config_map(2)))
    assert [when for when, _ in story.until(100)] == [70]


def test_what_happens_again_and_again_is_coalesced_and_counted() -> None:
    story = Story()
    for n in range(0, 50, 2):
        story.take(drifted(n / 10))
        story.take(healed((n + 1) / 10))
    ((_, batch),) = story.until(100)
    assert shown(batch) == ["passed web 25"]
    story.take(drifted(100))
    assert shown(story.until(200)[0][1]) == ["began web 1"]
    for n in (200, 202, 204):
        story.take(healed(n))
        story.take(drifted(n + 1))
    ((_, batch),) = story.until(300)
    assert shown(batch) == ["ended web 1", "began web 3"]
    assert story.open == {incident.key: incident.id for incident in story.register.open.values()}


def test_what_lasts_is_told_again_and_all_of_it_together() -> None:
    story = Story()
    story.take(drifted(0, config_map(1)))
    story.until(1000)
    story.take(drifted(1000, config_map(2)))
    story.until(2000)
    (first, second) = story.until(8000)
    assert (first[0], shown(first[1])) == (3610, ["lasts c1 1", "lasts c2 1"])
    assert second[0] == 7210


def test_what_gets_worse_is_told_before_its_time_and_not_often() -> None:
    story = Story(Timing(10, 60, 86_400, 1000))
    story.take(drifted(0))
    story.until(100)
    for second in range(100, 400, 10):
        kind = DriftKind.DELETED if second % 20 else DriftKind.EDITED
        story.take(drifted(second, kind=kind))
    assert [(when, shown(batch)) for when, batch in story.until(5000)] == [(610, ["lasts web 1"])]
    story.take(drifted(5000, kind=DriftKind.TAKEN))
    assert story.until(20_000) == []


def test_no_reminder_where_none_is_wanted() -> None:
    story = Story(TIMING.__class__(10, 60, 0, 1000))
    story.take(drifted(0))
    assert len(story.until(1e9)) == 1
    assert story.outbox.due() is None


def test_a_message_that_fails_is_made_anew_of_what_is_so_then() -> None:
    story = Story()
    story.take(drifted(0))
    story.now = 10
    batch = story.outbox.batch(10)
    assert batch is not None
    story.outbox.failed()
    story.take(healed(11))
    assert [shown(each) for _, each in story.until(60)] == [["passed web 1"]]


def test_an_end_that_comes_while_the_beginning_is_told_is_told_after_it() -> None:
    story = Story()
    story.take(drifted(0))
    story.now = 10
    batch = story.outbox.batch(10)
    assert batch is not None
    story.take(healed(11))
    story.send(batch)
    assert [shown(each) for _, each in story.until(100)] == [["ended web 1"]]


def test_a_fight_says_all_of_the_drifts_before_it() -> None:
    story = Story()
    for n in range(5):
        story.take(drifted(n))
        story.take(healed(n + 0.5))
    story.take(event(EventType.FOUGHT, 6, identity=WEB))
    assert [(batch.group.topic, shown(batch)) for _, batch in story.until(100)] == [(Topic.FIGHT, ["began web 1"])]


def test_what_a_receiver_refuses_is_tried_again_in_place_of_a_reminder() -> None:
    story = Story()
    story.take(drifted(0))
    story.take(drifted(0, config_map(1)))
    story.now = 10
    batch = story.outbox.batch(10)
    assert batch is not None
    story.outbox.refused(batch, 10)
    assert (story.outbox.depth, story.until(3000)) == (0, [])
    story.take(healed(3000))
    assert [shown(each) for _, each in story.until(3700)] == [["passed web 1"], ["began c1 1"]]


def test_what_was_over_a_day_ago_is_forgotten() -> None:
    story = Story()
    story.take(drifted(0, config_map(1)))
    story.take(healed(1, config_map(1)))
    story.take(drifted(1, config_map(2)))
    assert story.outbox.expire(at(86_400)) == 0
    assert story.outbox.expire(at(86_402)) == 1
    assert [shown(each) for _, each in story.until(100)] == [["began c2 1"]]


def test_reminders_keep_their_rhythm_over_restarts() -> None:
    story = Story()
    story.take(drifted(0))
    (incident,) = story.register.open.values()
    fresh = Outbox(TIMING)
    fresh.restore(incident, 50_000.0, 2 * 3600 + 600)
    assert fresh.due() == 50_000 + 3000


def test_a_message_has_no_more_than_a_receiver_takes() -> None:
    story = Story(Timing(10, 60, 3600, 100))
    for n in range(250):
        story.take(drifted(0, config_map(n)))
    sent = story.until(50)
    assert [len(batch.items) for _, batch in sent] == [99, 99, 52]
    assert {when for when, _ in sent} == {10}, "the rest goes on at once"


MOST = 3
TOPICS = [
    (EventType.DRIFTED, EventType.HEALED),
    (EventType.FOUGHT, EventType.CALMED),
    (EventType.HELD, EventType.RELEASED),
]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 2), st.booleans(), st.integers(0, 5)),
        st.tuples(st.just("pass"), st.sampled_from([1, 15, 70, 4000])),
        st.tuples(st.just("send")),
        st.tuples(st.sampled_from(["delivered", "failed", "refused"])),
    ),
    max_size=60,
)


@pytest.mark.parametrize("chunk", [2, 1000])
@given(steps=STEPS, refusing=st.booleans())
@examples(300)
def test_rule_24_beginnings_and_ends_alternate_nothing_open_is_lost_and_memory_is_bounded(
    chunk: int, steps: list[tuple[object, ...]], refusing: bool
) -> None:
    story = Story(Timing(10, 60, 3600, chunk), most=MOST)
    flying: Batch | None = None
    clock = 0.0
    for step in steps:
        match step:
            case ("event", int(topic), bool(begins), int(number)):
                clock += 0.001
                kind = TOPICS[topic][0 if begins else 1]
                story.take(event(kind, clock + story.now, identity=config_map(number)))
            case ("pass", int(seconds)):
                story.now += seconds
            case ("send",) if flying is None:
                flying = story.outbox.batch(story.now)
            case ("delivered",) if flying is not None:
                story.send(flying)
                flying = None
            case ("failed",) if flying is not None:
                story.outbox.failed()
                flying = None
            case ("refused",) if flying is not None and refusing:
                refuse(story, flying)
                flying = None
        held = sum(1 for state in story.outbox.states() if state.told or state.pending)
        assert held <= 4 * MOST
    if flying is not None:
        story.send(flying)
    story.until(story.now + 10_000)
    story.until(story.now + 10_000)
    so = {key: incident.id for key, incident in story.register.open.items()}
    assert story.open.items() <= so.items(), "nothing is told as open that is not"
    muted = {key for key in so if key.topic is Topic.DRIFT and key._replace(topic=Topic.FIGHT) in so}
    assert so.keys() - muted <= story.open.keys(), "nothing open is lost"
    assert story.outbox.depth == 0


def refuse(story: Story, batch: Batch) -> None:
    """A receiver that refuses an end knows nothing of it any more: nobody can tell it."""
    for phase, incident, _times in batch.items:
        if phase is Phase.ENDED:
            del story.open[incident.key]
    story.outbox.refused(batch, story.now)


def test_the_story_of_a_flood_in_which_the_receiver_is_down() -> None:
    story = Story(most=50)
    peak = 0
    for n in range(5000):
        story.take(drifted(n, config_map(n)))
        if n >= 40:
            story.take(healed(n, config_map(n - 40)))
        peak = max(peak, sum(1 for _ in story.outbox.states()))
    assert peak <= 100
    ((_, batch),) = story.until(1000)
    assert len(batch.items) + batch.more == 5000
    assert len(story.open) == 40
