"""When a request is sent again, and when it is not. In virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import virtual

from reconciler.clock import LoopClock, run_virtual
from reconciler.errors import TransportError
from reconciler.http.retry import RetryingTransport, idempotent
from reconciler.http.transport import Request, Response, Stream

GET = Request("GET", "/api/v1/pods")
POST = Request("POST", "/api/v1/namespaces/shop/configmaps", body=b"{}")
APPLY = Request("PATCH", "/x", headers={"content-type": "application/apply-patch+yaml"}, body=b"{}")
MERGE = Request("PATCH", "/x", headers={"content-type": "application/merge-patch+json"}, body=b"{}")
GUARDED = Request("DELETE", "/x", body=b'{"preconditions":{"uid":"1"}}')
BARE = Request("DELETE", "/x")

LOST = TransportError("no usable answer", why="no answer within 30 s")


class Script:
    """Gives its outcomes in order, then 200; remembers when it was asked."""

    def __init__(self, *outcomes: int | Response | TransportError) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[float] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(asyncio.get_running_loop().time())
        outcome = self.outcomes.pop(0) if self.outcomes else 200
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome if isinstance(outcome, Response) else Response(outcome, {}, b"")

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        raise LOST
        yield

    async def close(self) -> None:
        pass


def sent(script: Script, request: Request, **options: float) -> Response:
    async def main() -> Response:
        return await RetryingTransport(script, LoopClock(), Random(1), **options).send(request)

    return run_virtual(main())


@pytest.mark.parametrize(
    ("request_", "again"),
    [(GET, True), (APPLY, True), (GUARDED, True), (POST, False), (MERGE, False), (BARE, False)],
)
def test_only_what_may_be_repeated_is_repeated(request_: Request, again: bool) -> None:
    assert idempotent(request_) is again
    script = Script(500, LOST)
    if again:
        assert sent(script, request_).status == 200
        assert len(script.asked) == 3
    else:
        assert sent(script, request_).status == 500
        with pytest.raises(TransportError):
            sent(Script(LOST), request_)


def test_429_is_obeyed_for_every_method() -> None:
    script = Script(Response(429, {"retry-after": "3"}, b""), Response(429, {"retry-after": "3"}, b""))
    assert sent(script, POST).status == 200
    first, second, third = script.asked
    assert 3 <= second - first <= 3.3
    assert 3 <= third - second <= 3.6


def test_retry_after_may_be_a_date() -> None:
    script = Script(Response(503, {"retry-after": "Thu, 01 Jan 2026 00:00:20 GMT"}, b""))
    assert sent(script, GET).status == 200
    assert 20 <= script.asked[1] <= 20.3


def test_nonsense_in_retry_after_is_no_wish() -> None:
    script = Script(Response(503, {"retry-after": "soon"}, b""))
    assert sent(script, GET).status == 200
    assert script.asked[1] < 0.3


def test_pauses_grow_and_the_deadline_ends_them() -> None:
    script = Script(*[500] * 100)
    assert sent(script, GET, deadline=60).status == 500
    assert 8 <= len(script.asked) <= 16
    assert script.asked[-1] <= 60
    pauses = [after - before for before, after in zip(script.asked, script.asked[1:], strict=False)]
    assert pauses[0] < 0.3
    assert max(pauses) <= 8


def test_a_wish_beyond_the_deadline_is_not_waited_for() -> None:
    script = Script(Response(429, {"retry-after": "3600"}, b""))
    assert sent(script, GET).status == 429
    assert script.asked == [0]


def test_the_last_failure_is_the_one_that_is_told() -> None:
    with pytest.raises(TransportError, match="no answer within"):
        sent(Script(*[LOST] * 100), GET)


def test_refusals_are_answers() -> None:
    for code in (200, 301, 400, 401, 403, 404, 409, 410, 422, 501):
        script = Script(code)
        assert sent(script, GET).status == code
        assert len(script.asked) == 1


def test_a_lasting_failure_is_not_tried_again() -> None:
    script = Script(Response(500, {}, b"field not declared"))

    async def main() -> Response:
        transport = RetryingTransport(script, LoopClock(), Random(1), lasting=lambda answer: b"declared" in answer.body)
        return await transport.send(APPLY)

    assert run_virtual(main()).status == 500
    assert len(script.asked) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([200, 429, 500, 502, 503, 504, 404, LOST]), max_size=30))
def test_a_get_ends_in_the_first_lasting_outcome(outcomes: list[int | TransportError]) -> None:
    script = Script(*outcomes)
    lasting = next((o for o in outcomes if o in (200, 404)), 200)
    try:
        answer = sent(script, GET, deadline=1e9)
    except TransportError:
        pytest.fail("the deadline is far away")
    assert answer.status == lasting


@virtual
async def test_streams_are_passed_through() -> None:
    transport = RetryingTransport(Script(), LoopClock(), Random(1))
    with pytest.raises(TransportError):
        async with transport.stream(GET):
            pass
    await transport.close()
