"""From events to receivers, over several lives of a daemon, in virtual time."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from alert_events import WEB, config_map, drift
from virtual import virtual

from reconciler.alerts.alerts import Alerts, Told
from reconciler.alerts.batch import Item, Phase
from reconciler.alerts.message import Composer, Message
from reconciler.clock import LoopClock
from reconciler.errors import ReconcilerError, Refused, TransportError, Undelivered
from reconciler.kube.names import Identity
from reconciler.model.alerting import AlertsConfig, ReceiverConfig, Route
from reconciler.model.event import Event, EventType


def name(item: Item) -> str:
    return item.incident.key.identity.name if item.incident.key.identity else ""


class FakeReceiver:
    """Takes messages, or does with them what `answer` says."""

    def __init__(self, clock: LoopClock, *, most: int = 1000, refresh: float | None = None) -> None:
        self.most = most
        self.refresh = refresh
        self.got: list[tuple[float, Message]] = []
        self.attempts: list[float] = []
        self.error: Exception | None = None
        self.hangs = False
        self.closed = False
        self._clock = clock

    async def deliver(self, message: Message) -> None:
        self.attempts.append(self._clock.monotonic())
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        self.got.append((self._clock.monotonic(), message))

    async def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> list[str]:
        """What was told, one line for each incident."""
        return [
            " ".join(filter(None, (item.phase, item.incident.key.topic, name(item))))
            for _, message in self.got
            for item in message.batch.items
        ]

    @property
    def ids(self) -> list[tuple[Phase, str]]:
        return [(item.phase, item.incident.id) for _, message in self.got for item in message.batch.items]


class Stored:
    """The cluster's memory, which outlives the daemon."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.writes: list[float] = []
        self.error: ReconcilerError | None = None
        self.frozen = False  # writes hang, as if the process had been killed before them

    async def read(self) -> str | None:
        if self.error is not None:
            raise self.error
        return self.text

    async def write(self, text: str) -> None:
        if self.error is not None:
            raise self.error
        if self.frozen:
            await asyncio.Event().wait()
        self.writes.append(asyncio.get_running_loop().time())
        self.text = text


class Observed:
    def __init__(self) -> None:
        self.results: Counter[tuple[str, str]] = Counter()
        self.depths: dict[str, int] = {}

    def delivered(self, receiver: str, result: str) -> None:
        self.results[receiver, result] += 1

    def alerting(self, receiver: str, depth: int) -> None:
        self.depths[receiver] = depth


class Life:
    """One daemon's alerts."""

    def __init__(self, alerts: Alerts, receivers: dict[str, FakeReceiver], stored: Stored, observed: Observed) -> None:
        self.alerts = alerts
        self.receivers = receivers
        self.stored = stored
        self.observed = observed
        self.clock = LoopClock()

    def say(self, kind: EventType, identity: Identity | None = WEB, **more: Any) -> None:
        said = {"source": "shop", "message": f"said {kind}", "identity": identity, **more}
        self.alerts(Event(kind, self.clock.now(), **said))


@asynccontextmanager
async def life(
    stored: Stored,
    receivers: dict[str, FakeReceiver] | None = None,
    *,
    install: str | None = "test",
    sources: tuple[str, ...] = ("shop",),
    **config: Any,
) -> AsyncIterator[Life]:
    """Alerts with one receiver, "team", where no other ones are given."""
    clock = LoopClock()
    receivers = {"team": FakeReceiver(clock)} if receivers is None else receivers
    observed = Observed()
    alerts = Alerts(
        AlertsConfig(tuple(ReceiverConfig(name) for name in receivers), **config),
        {name: Told(receiver, Composer()) for name, receiver in receivers.items()},
        sources,
        storage=stored,
        clock=clock,
        random=Random(1),
        observer=observed,
        stop=asyncio.Event(),
    )
    made = Life(alerts, receivers, stored, observed)
    made.clock = clock
    async with alerts:
        if install is not None:
            alerts.installed(install)
        yield made
    stored.frozen = False


def team(made: Life) -> FakeReceiver:
    return made.receivers["team"]


@virtual
async def test_from_an_event_to_a_receiver_and_to_the_record() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.DRIFTED, drift=drift())
        await asyncio.sleep(9)
        assert team(made).got == []
        assert made.observed.depths == {"team": 1}
        await asyncio.sleep(2)
        assert team(made).lines == ["began drift web"]
        made.say(EventType.HEALED)
        await asyncio.sleep(100)
        assert team(made).lines == ["began drift web", "ended drift web"]
        assert made.observed.results == {("team", "delivered"): 2}
        assert made.observed.depths == {"team": 0}
    assert team(made).closed
    assert json.loads(stored.text or "")["incidents"] == []


@virtual
async def test_what_means_nothing_costs_nothing() -> None:
    stored = Stored()
    async with life(stored) as made:
        for kind in (EventType.APPLIED, EventType.SYNC_STARTED, EventType.PRUNED, EventType.SYNC_FINISHED):
            made.say(kind)
        await asyncio.sleep(100)
        assert team(made).attempts == []
    assert stored.writes == []


@virtual
async def test_without_receivers_there_is_no_record_either() -> None:
    stored = Stored()
    async with life(stored, {}) as made:
        made.say(EventType.DRIFTED)
        made.alerts.passed("shop")
        await asyncio.sleep(100)
    assert stored.writes == []


@virtual
async def test_a_thousand_objects_edited_at_once_and_healed() -> None:
    stored = Stored()
    async with life(stored) as made:
        for n in range(1000):
            made.say(EventType.DRIFTED, config_map(n), drift=drift(config_map(n)))
            await asyncio.sleep(0.005)
        for n in range(1000):
            made.say(EventType.HEALED, config_map(n))
            await asyncio.sleep(0.005)
        await asyncio.sleep(600)
        assert len(team(made).got) <= 2
        passed = {item.incident.key for _, message in team(made).got for item in message.batch.items}
        assert len(passed) == 1000
        assert not any(item.incident.open for _, message in team(made).got[-1:] for item in message.batch.items)
    pauses = [later - earlier for earlier, later in itertools.pairwise(stored.writes)]
    assert all(pause > 0.999 for pause in pauses)
    assert len(pauses) > 5


@virtual
async def test_rule_24_a_receiver_that_is_down_holds_up_nobody_and_is_told_all_in_one_when_it_is_back() -> None:
    clock = LoopClock()
    receivers = {"down": FakeReceiver(clock), "hangs": FakeReceiver(clock), "team": FakeReceiver(clock)}
    receivers["down"].error = Undelivered("there is no answer")
    receivers["hangs"].hangs = True
    async with life(Stored(), receivers) as made:
        for _ in range(100):
            made.say(EventType.DRIFTED, drift=drift())
            await asyncio.sleep(30)
            made.say(EventType.HEALED)
            await asyncio.sleep(30)
        assert len(receivers["team"].got) >= 50
        down = receivers["down"]
        assert (down.got, made.observed.depths["down"]) == ([], 1)
        pauses = [later - earlier for earlier, later in itertools.pairwise(down.attempts)]
        assert pauses[0] <= 1.0
        assert all(pause <= 300 for pause in pauses)
        assert len(pauses) < 40, "the pauses grow"
        assert len(set(pauses)) > 5, "and are not in step with those of others"
        down.error = None
        await asyncio.sleep(300)
        (message,) = (message for _, message in down.got)
        assert [(item.phase, item.times) for item in message.batch.items] == [(Phase.PASSED, 100)]
        assert made.observed.results["down", "failed"] == len(down.attempts) - 1


@virtual
async def test_a_receiver_that_asks_for_patience_gets_it() -> None:
    async with life(Stored()) as made:
        team(made).error = Undelivered("it answered 429", retry_after=120.0)
        made.say(EventType.HELD)
        await asyncio.sleep(100)
        assert len(team(made).attempts) == 1
        team(made).error = None
        await asyncio.sleep(100)
        assert len(team(made).attempts) == 2
        assert team(made).attempts[1] - team(made).attempts[0] >= 120


@virtual
async def test_what_is_refused_is_dropped_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with life(Stored()) as made:
        team(made).error = Refused("it answered 404", why="no_service")
        made.say(EventType.HELD)
        await asyncio.sleep(3600)
        assert len(team(made).attempts) == 1
        assert made.observed.results == {("team", "refused"): 1}
        assert "receiver team will not take a message, which is dropped: it answered 404: no_service" in caplog.text
        team(made).error = None
        made.say(EventType.HELD, config_map(1))
        await asyncio.sleep(3600)
        assert team(made).lines == ["began held c1"]


@virtual
async def test_a_fault_of_ours_in_one_receiver_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    async with life(Stored()) as made:
        team(made).error = KeyError("x")
        made.say(EventType.HELD)
        await asyncio.sleep(60)
        team(made).error = None
        await asyncio.sleep(600)
        assert team(made).lines == ["began held web"]
        assert "telling receiver team failed" in caplog.text


@virtual
async def test_routes() -> None:
    clock = LoopClock()
    receivers = {"team": FakeReceiver(clock), "bus": FakeReceiver(clock)}
    routes = (Route(("bus",), continue_=True), Route(("team",), objects=("Deployment/*",)))
    async with life(Stored(), receivers, routes=routes) as made:
        made.say(EventType.HELD)
        made.say(EventType.HELD, config_map(1))
        await asyncio.sleep(100)
        assert receivers["team"].lines == ["began held web"]
        assert receivers["bus"].lines == ["began held c1", "began held web"]


@virtual
async def test_one_that_wants_to_be_told_again_and_again_is() -> None:
    receivers = {"prometheus": FakeReceiver(LoopClock(), refresh=60.0)}
    async with life(Stored(), receivers) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(10 + 5 * 60 + 30)
        assert receivers["prometheus"].lines == ["began held web"] + ["lasts held web"] * 5


# ---- restarts


@virtual
async def test_what_is_still_so_after_a_restart_is_not_told_again_and_what_ended_meanwhile_is_told() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.HELD)
        made.say(EventType.HELD, config_map(1))
        await asyncio.sleep(30)
        assert team(made).lines == ["began held c1", "began held web"]
        first = {identity for _, identity in team(made).ids}
    async with life(stored) as made:
        await asyncio.sleep(1000)
        assert team(made).attempts == [], "nobody has looked at the source yet"
        made.say(EventType.HELD)
        made.alerts.passed("shop")
        await asyncio.sleep(120)
        assert team(made).lines == ["ended held c1"]
        assert {identity for _, identity in team(made).ids} <= first, "under the ids that were told"
        made.say(EventType.RELEASED)
        await asyncio.sleep(120)
        assert team(made).lines == ["ended held c1", "ended held web"]
        assert {identity for _, identity in team(made).ids} == first
    assert json.loads(stored.text or "")["incidents"] == []


@virtual
async def test_rule_24_killed_between_delivery_and_record_there_is_one_repeat_with_the_same_id() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(9)
        stored.frozen = True  # the record of the delivery never arrives
        await asyncio.sleep(3)
        assert team(made).lines == ["began held web"]
        (told,) = team(made).ids
        before = stored.text
    stored.text = before
    for repeats in (1, 0, 0):
        async with life(stored) as made:
            made.say(EventType.HELD)
            made.alerts.passed("shop")
            await asyncio.sleep(300)
            assert team(made).ids == [told] * repeats


@virtual
async def test_killed_before_the_delivery_it_is_told_by_the_next_life() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.DRIFTED, drift=drift())
        await asyncio.sleep(3)
        assert team(made).got == []
    async with life(stored) as made:
        made.alerts.passed("shop")
        await asyncio.sleep(300)
        assert team(made).lines == ["passed drift web"], "it began, and was no longer so when the next life looked"


@virtual
async def test_what_was_over_and_not_told_is_told_by_the_next_life_in_words() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.DRIFTED, drift=drift())
        made.say(EventType.HEALED)
        await asyncio.sleep(3)
    async with life(stored) as made:
        await asyncio.sleep(30)
        ((_, message),) = team(made).got
        assert message.title == "shop: Deployment/shop/web drifted and was healed"
        assert message.text.startswith("spec.replicas: 3 → 5; metadata.labels[tier]: front → nothing\n")


@virtual
async def test_an_end_that_a_receiver_did_not_take_is_told_by_the_next_life() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(30)
        team(made).error = Undelivered("there is no answer")
        made.say(EventType.RELEASED)
        await asyncio.sleep(300)
        assert team(made).lines == ["began held web"]
    async with life(stored) as made:
        await asyncio.sleep(30)
        assert team(made).lines == ["ended held web"]


@virtual
async def test_one_that_began_again_while_the_end_was_not_taken_is_told_as_both() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(30)
        (first,) = team(made).ids
        team(made).error = Undelivered("there is no answer")
        made.say(EventType.RELEASED)
        made.say(EventType.HELD)
        await asyncio.sleep(300)
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(30)
        assert team(made).lines == ["ended held web", "began held web"]
        assert team(made).ids[0] == (Phase.ENDED, first[1])


@virtual
async def test_a_new_receiver_hears_of_what_is_open_and_an_old_one_of_its_end() -> None:
    stored, clock = Stored(), LoopClock()
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(30)
    both = {"bus": FakeReceiver(clock), "team": FakeReceiver(clock)}
    async with life(stored, both, routes=(Route(("bus",)),)) as made:
        made.say(EventType.HELD)
        made.alerts.passed("shop")
        await asyncio.sleep(300)
        assert (both["bus"].lines, both["team"].lines) == (["began held web"], [])
        made.say(EventType.RELEASED)
        await asyncio.sleep(300)
        assert (both["bus"].lines[1:], both["team"].lines) == (["ended held web"], ["ended held web"])


@virtual
async def test_what_a_removed_source_left_open_is_over() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(30)
    async with life(stored, sources=("blog",)) as made:
        await asyncio.sleep(30)
        assert team(made).lines == ["ended held web"]


@virtual
async def test_a_fight_is_given_time_to_be_seen_again() -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.FOUGHT)
        await asyncio.sleep(30)
    async with life(stored) as made:
        made.alerts.passed("shop")
        await asyncio.sleep(600)
        made.say(EventType.DRIFTED, drift=drift())
        made.say(EventType.HEALED)
        made.say(EventType.FOUGHT)
        await asyncio.sleep(3600)
        assert team(made).lines == []


# ---- a cluster that cannot be asked


@virtual
async def test_that_the_daemon_cannot_start_is_told_without_the_cluster() -> None:
    stored = Stored()
    async with life(stored, install=None) as made:
        made.say(EventType.NOT_READY, None, source="", message="no connection")
        await asyncio.sleep(60)
        assert team(made).lines == ["began start"]
        made.say(EventType.READY, None, source="")
        made.alerts.installed("test")
        await asyncio.sleep(120)
        assert team(made).lines == ["began start", "ended start"]


@virtual
async def test_a_record_that_cannot_be_written_delays_and_keeps_from_nothing(caplog: pytest.LogCaptureFixture) -> None:
    stored = Stored()
    async with life(stored) as made:
        await asyncio.sleep(1)
        stored.error = TransportError("no usable answer")
        made.say(EventType.HELD)
        await asyncio.sleep(14)
        assert team(made).lines == ["began held web"]
        assert "is not written yet: no usable answer" in caplog.text
        stored.error = None
        await asyncio.sleep(120)
        assert len(json.loads(stored.text or "")["incidents"]) == 1


@virtual
async def test_a_record_that_cannot_be_read_is_waited_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    stored = Stored()
    async with life(stored) as made:
        made.say(EventType.HELD)
        await asyncio.sleep(30)
    stored.error = TransportError("no usable answer")
    async with life(stored) as made:
        made.say(EventType.HELD)
        made.say(EventType.HELD, config_map(1))
        await asyncio.sleep(20)
        assert team(made).lines == []
        stored.error = None
        await asyncio.sleep(120)
        assert team(made).lines == ["began held c1"]


@virtual
async def test_a_record_that_somebody_broke_is_begun_anew(caplog: pytest.LogCaptureFixture) -> None:
    for text in ("{", '{"format": 9}', '{"format":1,"receivers":[],"incidents":[[1]]}', "[]"):
        stored = Stored()
        stored.text = text
        async with life(stored) as made:
            made.say(EventType.HELD)
            await asyncio.sleep(30)
            assert team(made).lines == ["began held web"]
        assert len(json.loads(stored.text)["incidents"]) == 1
    assert "cannot be read, and is told again" in caplog.text


@virtual
async def test_the_end_comes_within_two_seconds_whatever_hangs() -> None:
    stored = Stored()
    clock = LoopClock()
    async with life(stored) as made:
        made.say(EventType.HELD)
        team(made).hangs = True
        await asyncio.sleep(30)
        made.say(EventType.HELD, config_map(1))
        stored.frozen = True
        begun = clock.monotonic()
    assert clock.monotonic() - begun <= 2.0
    assert team(made).closed
