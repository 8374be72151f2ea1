"""What is said about the Images of a source: each thing that is wrong once, and when it is well again."""

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.clock import Clock
from reconciler.errors import BuildFailed, ImageAwaited, ImageError, ReconcilerError
from reconciler.images.stated import Pin, Pins
from reconciler.kube.names import Identity
from reconciler.model.event import Event, EventType, Sink

_LINES: Final = 5  # of a failed build's log that are told
_LINE: Final = 100  # characters


class ImageTeller:
    """Turns what is known of Images into events. `revision` is the commit that states them."""

    def __init__(self, source: str, clock: Clock, emit: Sink) -> None:
        self.revision = ""
        self._source = source
        self._clock = clock
        self._emit = emit
        self._wrong: dict[tuple[Identity | None, str], str] = {}

    def say(
        self, kind: EventType, text: str, identity: Identity | None = None, hint: str = "", subject: str = ""
    ) -> None:
        self._emit(Event(kind, self._clock.now(), self._source, text, identity, self.revision, hint, subject))

    def wrong(self, identity: Identity | None, subject: str, error: ReconcilerError) -> None:
        text = told(error, identity)
        if self._wrong.get((identity, subject)) != text:
            self._wrong[identity, subject] = text
            self.say(EventType.IMAGE_HELD, text, identity, error.hint, subject)

    def well(self, identity: Identity | None, subject: str, text: str) -> None:
        if self._wrong.pop((identity, subject), None) is not None:
            self.say(EventType.PINNED, text, identity, subject=subject)

    def settled(self, before: Pins, pins: Pins) -> None:
        """What is new between two passes."""
        for identity, pin in pins.items():
            if (error := failure(pin)) is not None:
                self.wrong(identity, "", error)
            if not isinstance(pin, Pin) or error is not None:
                continue
            old = before.get(identity)
            if (identity, "") in self._wrong:
                self.well(identity, "", _words(pin))
            elif old is not None and (isinstance(old, ImageError) or old.reference != pin.reference):
                self.say(EventType.PINNED, _words(pin), identity)
        for about, subject in [key for key in self._wrong if key[0] is not None and key[0] not in pins]:
            self.well(about, subject, "no longer asked for")

    def looked(self, stated: Sequence[Identity], failed: Mapping[Identity, ImageError]) -> None:
        """What a look at the registries could not tell."""
        for identity in stated:
            if (identity, "") in self._wrong:
                continue  # that nothing is known of it is said already
            if (error := failed.get(identity)) is not None:
                self.wrong(identity, "registry", error)
            else:
                self.well(identity, "registry", "the registry has it")


def failure(pin: Pin | ImageError) -> ImageError | None:
    """What is wrong with an Image, beside that its answer is awaited; None where nothing is."""
    error = pin.problem if isinstance(pin, Pin) else pin
    return None if isinstance(error, ImageAwaited) else error


def told(error: ReconcilerError, identity: Identity | None = None) -> str:
    """An error in one line, with the last lines of a build's log; that it is about `identity` is said elsewhere."""
    said = str(error).removeprefix(f"{identity}: ")
    tail = [line.strip()[:_LINE] for line in error.log if line.strip()] if isinstance(error, BuildFailed) else []
    return f"{said}; its log ends: {' | '.join(tail[-_LINES:])}" if tail else said


def _words(pin: Pin) -> str:
    return f"is {pin.reference} ({pin.origin.value})"
