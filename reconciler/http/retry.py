"""Trying again: which requests, after which answers, after how long, and until when."""

import email.utils
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from random import Random
from typing import Final

from reconciler.clock import Clock
from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.kube.media import APPLY

FIRST_PAUSE: Final = 0.25  # seconds; doubles with each attempt
LONGEST_PAUSE: Final = 8.0

APPLY_PATCH: Final = (APPLY, "application/apply-patch+cbor")


def idempotent(request: Request) -> bool:
    """Whether sending `request` twice does what sending it once does.

    A server-side apply states a result; other patches may not. A DELETE without preconditions could hit a new object
    under the same name, so only one with a body (which holds them) counts.
    """
    match request.method:
        case "GET" | "HEAD" | "PUT":
            return True
        case "PATCH":
            return request.headers.get("content-type") in APPLY_PATCH
        case "DELETE":
            return b"preconditions" in request.body
        case _:
            return False


def retry_after(response: Response, now: datetime) -> float | None:
    """The server's wish in seconds, whether it was written as seconds or as a date; None without one."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def pauses(random: Random, first: float, longest: float) -> Iterator[float]:
    """Seconds to wait after each failure, for ever: they double from `first` to `longest`, and up to half is taken off
    at random so that those who failed together do not return in step."""
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(longest, pause * 2)


class RetryingTransport:
    """A Transport that tries again on `inner`.

    A 429 is tried again for every method: the server did not act on it. A 5xx or a lost connection is tried again
    only where a repetition does no harm. On top of each of the `pauses` comes what Retry-After asks for. When the next
    one would end after `deadline` seconds from the first attempt, the last answer (or error) stands. `lasting` says of
    a 5xx that it will not get better.

    Streams are passed through: who reads one knows where to resume.
    """

    def __init__(
        self,
        inner: Transport,
        clock: Clock,
        random: Random,
        *,
        deadline: float = 60.0,
        lasting: Callable[[Response], bool] = lambda _response: False,
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._random = random
        self._deadline = deadline
        self._lasting = lasting

    async def send(self, request: Request) -> Response:
        end = self._clock.monotonic() + self._deadline
        again = idempotent(request)
        backoff = pauses(self._random, FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            failure: TransportError | None = None
            asked: float | None = None
            try:
                answer = await self._inner.send(request)
            except TransportError as error:
                if not again:
                    raise
                failure = error
            else:
                if not self._worth(answer, again):
                    return answer
                asked = retry_after(answer, self._clock.now())
            pause = (asked or 0.0) + next(backoff)
            if self._clock.monotonic() + pause > end:
                if failure is not None:
                    raise failure
                return answer
            await self._clock.sleep(pause)

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        return self._inner.stream(request)

    async def close(self) -> None:
        await self._inner.close()

    def _worth(self, answer: Response, again: bool) -> bool:
        if answer.status == 429:
            return True
        return again and answer.status >= 500 and answer.status != 501 and not self._lasting(answer)
