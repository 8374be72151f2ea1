"""The sink of events that tells people: from an event to everybody who is to know."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from reconciler.alerts.batch import Batch
from reconciler.alerts.delivery import Delivery, Observer
from reconciler.alerts.incident import Incident, Key
from reconciler.alerts.incidents import Incidents, News, Turn
from reconciler.alerts.keeper import Keeper, Storage
from reconciler.alerts.message import Composer, Message
from reconciler.alerts.outbox import Outbox, Timing
from reconciler.alerts.receivers.receiver import Receiver
from reconciler.alerts.record import Entry, Record, decode, encode
from reconciler.alerts.routing import receivers_of
from reconciler.clock import Clock
from reconciler.model.alerting import AlertsConfig
from reconciler.model.event import BEGINS, ENDS, Event, Topic

EARLY: Final = 10_000  # events that wait for the record of an earlier life
SETTLE: Final = 60.0  # seconds after the first pass of a source within which what still is so is said again
SETTLE_FIGHT: Final = 900.0  # a fight has to be noticed anew
PATIENCE: Final = 30.0  # seconds that events wait for it
_SENDING_SECONDS: Final = 1.0  # that a message in flight may take once we are told to stop
_RECORD_SECONDS: Final = 0.6

logger = logging.getLogger(__name__)


class Told(NamedTuple):
    """A receiver and how its messages read."""

    receiver: Receiver
    composer: Composer


class Alerts:
    """Takes events, and tells receivers as `config` says.

    It is a Sink, and works as long as it is open as a context. Say `installed` as soon as it is known who we are (the
    record is read then), and `passed` after each whole pass over a source. Nothing more is told once `stop` is set.
    Without receivers it does nothing at all.
    """

    def __init__(
        self,
        config: AlertsConfig,
        receivers: Mapping[str, Told],
        sources: Collection[str],
        *,
        storage: Storage,
        clock: Clock,
        random: Random,
        observer: Observer,
        stop: asyncio.Event,
        install: str = "",
    ) -> None:
        self._config = config
        self._names = tuple(receivers)
        self._sources = frozenset(sources)
        self._clock = clock
        self._incidents = Incidents(install)
        self._keeper = Keeper(storage, self._assemble, encode((), self._names), clock)
        self._early: list[Event] | None = []  # what happened before it is known what an earlier life said
        self._passed: set[str] = set()
        self._known = asyncio.Event()  # who we are
        self._loaded = asyncio.Event()
        self._stop = stop
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: asyncio.Future[None] | None = None
        self._deliveries = {
            name: Delivery(
                name,
                told.receiver,
                Outbox(_timing(config, told.receiver)),
                partial(self._compose, told.composer),
                clock=clock,
                random=random,
                observer=observer,
                sure=self._keeper.sure,
                changed=self._keeper.changed,
            )
            for name, told in receivers.items()
        }

    # ---- what happens

    def __call__(self, event: Event) -> None:
        """Never blocks, never raises."""
        if not self._deliveries or (event.type not in BEGINS and event.type not in ENDS):
            return
        if self._early is None:
            self._take(event)
        elif len(self._early) < EARLY:
            self._early.append(event)
        else:
            self._catch_up()
            self._take(event)

    def installed(self, install: str) -> None:
        """Who we are, for the ids of incidents; the cluster answers now."""
        self._incidents.install = install
        self._known.set()

    def passed(self, source: str) -> None:
        """A whole pass over `source` was made: what was wrong in an earlier life and still is so is said soon."""
        if self._deliveries and source not in self._passed:
            self._passed.add(source)
            self._begin(self._forget(source, SETTLE, lambda key: key.topic is not Topic.FIGHT))
            self._begin(self._forget(source, SETTLE_FIGHT, lambda key: key.topic is Topic.FIGHT))

    # ---- its life

    async def __aenter__(self) -> Self:
        if self._deliveries:
            self._begin(self._remember())
            self._begin(self._lose_patience())
            self._telling = asyncio.ensure_future(self._tell_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End within two seconds. What was not told is on record, or is found out again by the next life."""
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._telling is not None:
            await self._telling
        if self._loaded.is_set():  # else the record may know more than we do
            await self._keeper.close(_RECORD_SECONDS)

    async def _tell_all(self) -> None:
        """Until we are told to stop; a message in flight then has a moment to arrive."""
        telling = [
            asyncio.create_task(delivery.run(self._stop), name=f"alerts to {name}")
            for name, delivery in self._deliveries.items()
        ]
        await self._stop.wait()
        _, late = await asyncio.wait(telling, timeout=_SENDING_SECONDS)
        for each in late:
            each.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a part of the work of alerts failed, and the rest goes on", exc_info=error)

    async def _lose_patience(self) -> None:
        await self._clock.sleep(PATIENCE)
        self._catch_up()

    # ---- telling

    def _catch_up(self) -> None:
        """From now on events are taken as they come."""
        early, self._early = self._early or (), None
        for event in early:
            self._take(event)

    def _take(self, event: Event) -> None:
        try:
            self._tell(self._incidents.take(event))
        except Exception:
            logger.exception("an event of type %s was told to nobody", event.type)

    def _tell(self, news: Iterable[News]) -> None:
        now = self._clock.monotonic()
        touched = False
        for turn, incident in news:
            touched = True
            routed = receivers_of(incident, self._config.routes, self._names)
            for name, delivery in self._deliveries.items():
                _put(delivery.outbox, turn, incident, now, routed=name in routed)
        if touched:
            for delivery in self._deliveries.values():
                delivery.wake()
            self._keeper.changed()

    def _compose(self, composer: Composer, batch: Batch) -> Message:
        return composer.compose(batch, self._incidents.install, self._clock.now())

    # ---- what is remembered

    async def _remember(self) -> None:
        """Take in what an earlier life said, and write down what this one says."""
        await self._known.wait()
        text = await self._keeper.load()
        try:
            record = decode(text, self._incidents.install)
        except ValueError as error:
            logger.warning("what receivers of alerts were told cannot be read, and is told again: %s", error)
            record = Record()
        self._restore(record)
        self._loaded.set()
        self._catch_up()
        await self._keeper.run()

    def _restore(self, record: Record) -> None:
        now, time = self._clock.monotonic(), self._clock.now()
        for incident, told, owed in ((each.incident, each.told, each.owed) for each in record.entries):
            if incident.open and incident.key in self._incidents.open and self._early is None:
                continue  # patience was over, and it was told anew
            if incident.open:
                self._incidents.restore(incident)
            routed = receivers_of(incident, self._config.routes, self._names) if incident.open else owed
            age = max(0.0, (time - incident.since).total_seconds())
            for name, delivery in self._deliveries.items():
                if name in told or name in routed:
                    delivery.outbox.restore(incident, now, age, sure=name in told)
        gone = self._incidents.unsure(lambda key: key.source not in self._sources)
        self._tell(self._incidents.forget(gone, time))
        for delivery in self._deliveries.values():
            delivery.wake()

    async def _forget(self, source: str, settle: float, about: Callable[[Key], bool]) -> None:
        """End what was so in an earlier life and nobody spoke of since."""
        await self._loaded.wait()
        await self._clock.sleep(settle)
        gone = self._incidents.unsure(lambda key: key.source == source and about(key))
        self._tell(self._incidents.forget(gone, self._clock.now()))

    def _assemble(self) -> str:
        """The record of what is so now."""
        known: dict[str, Entry] = {each.id: Entry(each) for each in self._incidents.open.values()}
        for name, delivery in self._deliveries.items():
            for told, sure, pending in delivery.outbox.states():
                if told is not None:
                    now = self._incidents.open.get(told.key)
                    over = now is None or now.id != told.id
                    ended = (pending.ended or pending.since) if pending is not None else told.since
                    entry = known.setdefault(told.id, Entry(replace(told, ended=ended) if over else told))
                    known[told.id] = entry.of(name, told=sure, owed=over)
                elif pending is not None and not pending.open:
                    known[pending.id] = known.setdefault(pending.id, Entry(pending)).of(name, owed=True)
        return encode(known.values(), self._names)


def _timing(config: AlertsConfig, receiver: Receiver) -> Timing:
    again = config.reminder if receiver.refresh is None else receiver.refresh
    return Timing(config.group_wait, config.group_interval, again, receiver.most)


def _put(outbox: Outbox, turn: Turn, incident: Incident, now: float, *, routed: bool) -> None:
    match turn:
        case Turn.ABSORBED:
            outbox.absorb(incident.key)
        case Turn.SETTLED:
            outbox.settle(incident, now)
        case Turn.UNCOUNTED if routed:
            outbox.count(incident.key, now)
        case Turn.BEGAN | Turn.SAID_AGAIN | Turn.ENDED if routed:
            outbox.put(incident, now)
        case Turn.ENDED:  # a configuration that has changed leaves nobody with half a story
            outbox.settle(incident, now)
        case _:
            pass
