"""Messages for the tests of receivers."""

from datetime import datetime, timedelta

from alert_events import START

from reconciler.alerts.batch import Batch
from reconciler.alerts.incidents import Incidents
from reconciler.alerts.message import Composer, Message
from reconciler.alerts.outbox import Outbox, Timing
from reconciler.model.event import Event


class Teller:
    """One receiver's messages, one after the other. The story begins at `start`."""

    def __init__(
        self, *, most: int = 10_000, reminder: float = 0, install: str = "test", start: datetime = START
    ) -> None:
        self.start = start
        self.register = Incidents(install)
        self.outbox = Outbox(Timing(0, 0, reminder, most))
        self.composer = Composer()
        self.now = 0.0

    def say(self, *events: Event, seconds: float = 10) -> Message:
        """The one message that says `events`, `seconds` later."""
        for event in events:
            for _turn, incident in self.register.take(event):
                self.outbox.put(incident, self.now)
        return self.next(seconds)

    def next(self, seconds: float = 10) -> Message:
        """The message that is due."""
        self.now += seconds
        batch = self.outbox.batch(self.now)
        assert batch is not None
        self.outbox.delivered(batch, self.now)
        return self.compose(batch)

    def compose(self, batch: Batch) -> Message:
        return self.composer.compose(batch, self.register.install, self.start + timedelta(seconds=self.now))
