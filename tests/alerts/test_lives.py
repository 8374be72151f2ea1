"""Any story, over any number of lives: what a receiver knows in the end is what is so."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from alert_events import config_map
from amount import examples
from hypothesis import given
from hypothesis import strategies as st

from reconciler.alerts.alerts import Alerts, Told
from reconciler.alerts.batch import Phase
from reconciler.alerts.message import Composer, Message
from reconciler.clock import LoopClock, run_virtual
from reconciler.errors import Undelivered
from reconciler.model.alerting import AlertsConfig, ReceiverConfig
from reconciler.model.event import Event, EventType

KINDS = {"held": (EventType.HELD, EventType.RELEASED), "drift": (EventType.DRIFTED, EventType.RESTORED)}

Key = tuple[str, int]
KEYS = st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 2))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), KEYS),
        st.tuples(st.just("wait"), st.sampled_from([0.3, 2.0, 11.0, 100.0])),
        st.tuples(st.just("receiver"), st.booleans()),
        st.tuples(st.sampled_from(["stop", "kill"]), st.lists(KEYS, max_size=3)),  # and what turns while nobody looks
    ),
    max_size=40,
)


class Person:
    """A receiver that notes what it believes, and every doubt."""

    most = 1000
    refresh = None

    def __init__(self) -> None:
        self.up = True
        self.open: dict[Any, str] = {}
        self.over: set[str] = set()
        self.repeats = 0

    async def deliver(self, message: Message) -> None:
        await asyncio.sleep(0.2)
        if not self.up:
            raise Undelivered("there is no answer")
        for phase, incident, _times in message.batch.items:
            known = self.open.get(incident.key)
            if phase is Phase.BEGAN:
                assert known in (None, incident.id), "one thing is not open twice"
                self.repeats += known is not None
                self.open[incident.key] = incident.id
            elif phase is Phase.LASTS:
                assert known == incident.id
            elif known == incident.id:
                del self.open[incident.key]
                self.repeats += phase is Phase.PASSED  # that it began was heard, and not on record
            else:
                assert phase is Phase.PASSED or incident.id in self.over, "only what began ends"
                self.repeats += incident.id in self.over
            if phase in (Phase.ENDED, Phase.PASSED):
                self.over.add(incident.id)

    async def close(self) -> None:
        pass


class Memory:
    """What the cluster remembers; `dead` writers write nothing."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.dead = False

    async def read(self) -> str | None:
        return self.text

    async def write(self, text: str) -> None:
        await asyncio.sleep(0.05)
        if not self.dead:
            self.text = text


class Uncounted:
    def delivered(self, receiver: str, result: str) -> None: ...

    def alerting(self, receiver: str, depth: int) -> None: ...


class World:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.so: set[Key] = set()
        self.person = Person()
        self.memory = Memory()
        self.kills = 0
        self.alerts: Alerts | None = None

    def turn(self, key: Key) -> None:
        self.so ^= {key}
        self.say(key)

    def say(self, key: Key) -> None:
        if self.alerts is not None:
            kind = KINDS[key[0]][key not in self.so]
            self.alerts(Event(kind, self.clock.now(), "shop", "said", config_map(key[1])))

    async def begin(self) -> None:
        self.memory.dead = False
        self.alerts = Alerts(
            AlertsConfig((ReceiverConfig("person"),)),
            {"person": Told(self.person, Composer())},
            ("shop",),
            storage=self.memory,
            clock=self.clock,
            random=Random(1),
            observer=Uncounted(),
            stop=asyncio.Event(),
        )
        await self.alerts.__aenter__()
        self.alerts.installed("test")
        for key in sorted(self.so):  # the engine finds out again what is so
            self.say(key)
        self.alerts.passed("shop")

    async def end(self, *, killed: bool) -> None:
        assert self.alerts is not None
        self.memory.dead = killed
        self.kills += killed
        await self.alerts.__aexit__(None, None, None)
        self.alerts = None


async def story(steps: Sequence[tuple[Any, ...]]) -> World:
    world = World()
    await world.begin()
    for step, value in steps:
        match step:
            case "turn":
                world.turn(value)
            case "wait":
                await asyncio.sleep(value)
            case "receiver":
                world.person.up = value
            case "stop" | "kill":
                await world.end(killed=step == "kill")
                for key in value:
                    world.turn(key)
                await world.begin()
    world.person.up = True
    await asyncio.sleep(1000)
    known = {(key.topic.value, key.identity.name) for key in world.person.open}
    assert known == {(topic, config_map(number).name) for topic, number in world.so}
    await world.end(killed=False)
    return world


@given(STEPS)
@examples(80)
def test_rule_24_what_a_receiver_knows_in_the_end_is_what_is_so(steps: list[tuple[Any, ...]]) -> None:
    world = run_virtual(story(steps))
    assert world.person.repeats <= 6 * world.kills, "each thing at most once more for each kill"


def test_without_a_kill_nothing_is_repeated_however_often_it_starts_anew() -> None:
    steps: list[tuple[Any, ...]] = []
    for n in range(30):
        steps += [("turn", ("held", n % 3)), ("wait", [0.3, 11.0, 100.0][n % 3]), ("stop", [("drift", n % 2)])]
    assert run_virtual(story(steps)).person.repeats == 0
