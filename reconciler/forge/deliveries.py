"""Each delivery once: what was seen, for as long as it would still be taken."""

import hashlib
from collections import OrderedDict
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from reconciler.clock import Clock
from reconciler.forge.webhooks import Delivery, Push

WINDOW: Final = 3600.0  # seconds: an older event is not acted on, a younger one is remembered as long
MOST: Final = 4096  # marks that are remembered of a webhook: at most two of a delivery


class Freshness(Enum):
    NEW = auto()
    SEEN = auto()
    OLD = auto()


class Deliveries:
    """Remembers deliveries of one webhook, as far as `MOST` goes.

    The forge's id stops a forge that sends again. It is not signed, so somebody who recorded a delivery could give it
    another: hence the digest of the body, which holds the time of what happened. The body of a push holds none, and
    the same one may come again rightly (a branch that went forth and back); a push that is replayed costs one poll.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, delivery: Delivery, body: bytes) -> Freshness:
        """What it is; a new one is remembered."""
        now = self._clock.monotonic()
        while self._seen and (len(self._seen) > MOST - 2 or next(iter(self._seen.values())) + WINDOW < now):
            self._seen.popitem(last=False)
        if delivery.time is not None and self._clock.now() - delivery.time > timedelta(seconds=WINDOW):
            return Freshness.OLD
        marks = [b"id " + delivery.id.encode("utf-8", "surrogateescape")] if delivery.id else []
        if not isinstance(delivery.event, Push):
            marks.append(hashlib.sha256(body).digest())
        if any(mark in self._seen for mark in marks):
            return Freshness.SEEN
        self._seen.update(dict.fromkeys(marks, now))
        return Freshness.NEW
