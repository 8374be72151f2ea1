"""The daemon's own log."""

from collections.abc import Callable

from reconciler.alerts.message import Message
from reconciler.alerts.receivers.receiver import UNLIMITED


class Log:
    """Hands each message to `write`, which must not block."""

    refresh = None
    most = UNLIMITED

    def __init__(self, write: Callable[[Message], None]) -> None:
        self._write = write

    async def deliver(self, message: Message) -> None:
        """Tell it."""
        self._write(message)

    async def close(self) -> None:
        """Nothing is open."""
