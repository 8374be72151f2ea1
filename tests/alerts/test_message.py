"""Messages as people read them.

The golden file is what is expected to be seen. After a wanted change: `UPDATE_GOLDEN=1 python -m pytest tests/alerts`.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from alert_events import START, WEB, at, config_map, drift, drifted, event, healed
from golden import checked

from reconciler.alerts.batch import Batch, Group, Item, Phase
from reconciler.alerts.incidents import Incidents
from reconciler.alerts.message import Composer, Message
from reconciler.alerts.outbox import Outbox, Timing
from reconciler.alerts.words import Saying, states_of
from reconciler.model.alerting import (
    PLACEHOLDERS_INCIDENT,
    PLACEHOLDERS_TITLE,
    MessageConfig,
    Urgency,
)
from reconciler.model.drift import DriftKind
from reconciler.model.event import BEGINS, ENDS, Event, EventType, Topic
from reconciler.model.manifest import DriftMode

GOLDEN = Path(__file__).parent / "golden" / "messages.txt"


def batches(*events: Event, seconds: float = 10, reminder: float = 0) -> list[Batch]:
    """What is told when all of `events` came within the wait, and a reminder after a day where one is wanted."""
    register, outbox = Incidents("test"), Outbox(Timing(10, 60, reminder, 10_000))
    found: list[Batch] = []

    def until(end: float) -> None:
        while (due := outbox.due()) is not None and due <= end:
            if (batch := outbox.batch(due)) is not None:
                outbox.delivered(batch, due)
                found.append(batch)

    for each in events:
        now = (each.time - START).total_seconds()
        until(now)
        for _turn, incident in register.take(each):
            outbox.put(incident, now)
    until(seconds)
    return found


def compose(batch: Batch, seconds: float = 10, *, name: str = "", **config: str) -> Message:
    return Composer(MessageConfig(**config), name=name).compose(batch, "test", at(seconds))


def last(*events: Event, seconds: float = 10, reminder: float = 0) -> Message:
    return compose(batches(*events, seconds=seconds, reminder=reminder)[-1], seconds)


HELD = event(
    EventType.HELD,
    identity=config_map(7),
    message="12 of 40 objects would be deleted",
    hint="reconciler prune --approve shop",
)
INVALID = event(
    EventType.INVALID,
    identity=WEB,
    subject="apps/web.yaml",
    message='apps/web.yaml:14:13: Deployment/web spec.replicas: "three" is not an integer',
    hint="leave it out and it stays what the cluster makes it",
)
STORIES = {
    "a drift that is left alone": last(drifted()),
    "it is over after a while": last(drifted(), event(EventType.RESTORED, 250, identity=WEB), seconds=300),
    "a drift that was healed within the wait": last(drifted(mode=DriftMode.HEAL), healed(1)),
    "a drift that is healed later": last(drifted(mode=DriftMode.HEAL), healed(95), seconds=200),
    "the same again and again": last(*(one for n in range(4) for one in (drifted(n), healed(n + 0.5)))),
    "a day later": last(drifted(), seconds=86_410, reminder=86_400),
    "three objects": last(*(drifted(n, config_map(n)) for n in range(3))),
    "many objects": last(*(drifted(n / 100, config_map(n)) for n in range(998))),
    "many that were healed, and two that were not": last(
        *(drifted(0, config_map(n)) for n in range(100)), *(healed(1, config_map(n)) for n in range(98))
    ),
    "deleted, and nobody makes it again": last(drifted(kind=DriftKind.DELETED), seconds=86_410, reminder=86_400),
    "deleted": last(drifted(kind=DriftKind.DELETED)),
    "deleted and made again": last(drifted(kind=DriftKind.DELETED, mode=DriftMode.HEAL), healed(1)),
    "many, in several ways": last(
        *(drifted(0, config_map(n)) for n in range(2)),
        *(drifted(0, config_map(n), kind=DriftKind.DELETED) for n in range(2, 4)),
        drifted(0, config_map(4), kind=DriftKind.REPLACED),
    ),
    "a field is no longer ours": last(drifted(kind=DriftKind.TAKEN)),
    "it waits": last(drifted(reason="a maintenance window lasts until 12:00")),
    "a fight": last(
        event(
            EventType.FOUGHT,
            identity=WEB,
            message="reconciler and kube-hpa change it back again and again; spec.replicas is 5, Git states 3",
            drift=drift(),
        )
    ),
    "held": last(HELD),
    "a failed sync": last(event(EventType.SYNC_FAILED, message="3 create; 1 failed")),
    "an unreachable repository": last(event(EventType.SOURCE_UNREACHABLE, message="the server did not answer")),
    "it answers again": last(
        event(EventType.SOURCE_UNREACHABLE), event(EventType.SOURCE_RECOVERED, 3700, message="it answers"), seconds=4000
    ),
    "an invalid spec": last(INVALID),
    "a kind that is not watched": last(
        event(EventType.FAILED, subject="Widget.example.com", message="Widget.example.com is not watched: forbidden")
    ),
    "degraded": last(event(EventType.DEGRADED, identity=WEB, message="2 of 3 replicas are not ready")),
    "the daemon cannot start": last(event(EventType.NOT_READY, source="", message="no answer; trying again")),
}


def shown(message: Message) -> str:
    return f"{message.title}\n{message.text}".rstrip("\n")


def test_messages_read_well() -> None:
    text = "".join(f"## {name}\n\n{shown(message)}\n\n" for name, message in STORIES.items())
    checked(GOLDEN, text)


@pytest.mark.parametrize("story", STORIES)
def test_the_first_line_says_where_and_what_and_nothing_is_long(story: str) -> None:
    message = STORIES[story]
    assert message.title.startswith(("shop: ", "reconciler: "))
    assert len(message.title) < 120
    assert len(message.text) < 2000
    assert "\n\n\n" not in message.text
    assert "$" not in shown(message)


def test_every_topic_has_words_for_every_phase() -> None:
    for topic in Topic:
        for phase in Phase:
            for outcome in ("", *(kind.value for kind, ended in ENDS.items() if ended is topic)):
                assert states_of(Saying(topic, phase, "", outcome), 2).startswith("2 ")
    assert set(BEGINS.values()) == set(Topic)


def test_an_installation_with_a_name_says_it() -> None:
    (batch,) = batches(drifted())
    assert compose(batch, name="prod-eu").title == "prod-eu/shop: Deployment/shop/web drifted"


def test_templates() -> None:
    (batch,) = batches(drifted())
    message = compose(
        batch,
        title="[$severity] $source $topic $count: $what",
        incident="$kind $namespace $name: $fields\nby $by\n$hint",
    )
    assert message.title == "[warning] shop drift 1: Deployment/shop/web drifted"
    assert message.text == (
        "Deployment shop web: spec.replicas: 3 → 5\nmetadata.labels[tier]: front → nothing\nby kubectl-edit at 10:02:58"
    )
    (many,) = batches(*(drifted(0, config_map(n)) for n in range(12)))
    lines = compose(many, line="- $name $state").text.splitlines()
    assert lines == [*(f"- {config_map(n).name} drifted" for n in sorted(range(12), key=str)[:10]), "and 2 more"]


def test_every_placeholder_has_a_value_in_every_story() -> None:
    title = " ".join(f"${name}" for name in sorted(PLACEHOLDERS_TITLE))
    incident = " ".join(f"${name}" for name in sorted(PLACEHOLDERS_INCIDENT))
    for message in STORIES.values():
        composed = compose(message.batch, title=title, incident=incident, line=incident)
        assert "$" not in shown(composed)


def test_what_somebody_wrote_into_an_object_is_no_template() -> None:
    (batch,) = batches(event(EventType.HELD, identity=WEB, message="costs $what ${where} {0}"))
    assert "costs $what ${where} {0}" in compose(batch).text


def test_the_same_content_has_the_same_id() -> None:
    (batch,) = batches(drifted())
    assert compose(batch).id == compose(batch, 500, title="$what").id
    (later,) = batches(drifted(1), seconds=11)
    over = Batch(batch.group, tuple(replace_phase(item) for item in batch.items))
    assert len({compose(each).id for each in (batch, later, over, replace(batch, more=1))}) == 4


def test_each_reminder_has_an_id_of_its_own() -> None:
    (batch,) = batches(drifted())
    reminder = Batch(batch.group, tuple(replace_phase(item) for item in batch.items))
    assert compose(reminder, 60).id == compose(reminder, 300).id
    assert compose(reminder, 60).id != compose(reminder, 86_460).id


def replace_phase(item: Item) -> Item:
    return item._replace(phase=Phase.LASTS)


def test_how_urgent_a_message_is() -> None:
    (open_one,) = batches(drifted())
    (passed,) = batches(drifted(), healed())
    assert (compose(open_one).urgency, compose(open_one).open) == (Urgency.WARNING, True)
    assert (compose(passed).urgency, compose(passed).open) == (Urgency.INFO, False)
    assert compose(Batch(Group("shop", Topic.DRIFT), (), 5)).open


def test_only_a_number() -> None:
    assert shown(compose(Batch(Group("shop", Topic.DRIFT), (), 1234))) == "shop: 1,234 more (drift)"


def test_what_is_over_and_began_again_is_one_line() -> None:
    first, second = batches(drifted(0), healed(20), drifted(30), seconds=100)
    assert [item.phase for item in second.items] == [Phase.ENDED, Phase.BEGAN]
    assert compose(second).title == compose(first).title == "shop: Deployment/shop/web drifted"
