"""What a receiver is."""

from typing import Final, Protocol

from reconciler.alerts.message import Message

UNLIMITED: Final = 1_000_000  # incidents: a message shows a few of them and counts the others


class Receiver(Protocol):
    """Somebody who can be told.

    `most` is the number of incidents that one message may have. `refresh` is in seconds: what is open is told again
    so often, in place of reminders; None where reminders are right.
    """

    @property
    def most(self) -> int: ...

    @property
    def refresh(self) -> float | None: ...

    async def deliver(self, message: Message) -> None:
        """Tell it. Raises Undelivered where trying again may help, Refused where it does not; no secret in either."""
        ...

    async def close(self) -> None: ...
