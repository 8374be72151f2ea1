"""The real client against real sockets on the loopback."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from certificates import self_signed
from loopback import served

from reconciler.errors import TransportError
from reconciler.http.client import LINE_LIMIT, Hints, HttpTransport
from reconciler.http.transport import Request, Stream

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", handler)
    async with served(app, patience=0.1) as url:
        yield url


@asynccontextmanager
async def raw(answer: bytes) -> AsyncIterator[str]:
    """A server that says `answer` to whoever connects, and hangs up."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def transport(url: str, **options: object) -> AsyncIterator[HttpTransport]:
    made = HttpTransport(url, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


async def echo(request: web.Request) -> web.Response:
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": (await request.read()).decode(),
    }
    return web.json_response(seen, status=201, headers={"Retry-After": "3"})


async def sleepy(_request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def test_a_request_arrives_as_it_was_made() -> None:
    request = Request(
        "PATCH",
        "/api/v1/namespaces/a/configmaps/x%3Ay",
        (("fieldManager", "reconciler"), ("labelSelector", "a=b,c in (d)")),
        {"content-type": "application/apply-patch+yaml"},
        b'{"a": 1}',
    )
    async with serving(echo) as url, transport(url + "/k8s/clusters/c-1/") as client:
        answer = await client.send(request)
    assert answer.status == 201
    assert answer.headers["retry-after"] == "3"
    seen = json.loads(answer.body)
    assert seen["method"] == "PATCH"
    assert seen["path"] == (
        "/k8s/clusters/c-1/api/v1/namespaces/a/configmaps/x%3Ay"
        "?fieldManager=reconciler&labelSelector=a%3Db%2Cc%20in%20%28d%29"
    )
    assert seen["headers"]["content-type"] == "application/apply-patch+yaml"
    assert seen["body"] == '{"a": 1}'


async def test_connections_are_reused_and_streams_stand_apart() -> None:
    ports: set[int] = set()

    async def note(request: web.Request) -> web.StreamResponse:
        if request.path == "/watch":
            answer = web.StreamResponse()
            await answer.prepare(request)
            await answer.write(b"one\n")
            await asyncio.sleep(30)
            return answer
        ports.add(request.transport.get_extra_info("peername")[1])  # type: ignore[union-attr]
        return web.Response()

    watch = Request("GET", "/watch")
    async with (
        serving(note) as url,
        transport(url, limit=2) as client,
        client.stream(watch) as stream,
        client.stream(watch),
    ):
        assert await anext(stream.lines()) == b"one"  # type: ignore[call-overload]
        await asyncio.gather(*(client.send(Request("GET", "/")) for _ in range(20)))
    assert len(ports) <= 2


async def test_lines_of_any_cut_and_length() -> None:
    long = b"x" * (3 * 1024 * 1024)

    async def talk(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for part in (b"a", b"b\nc\n", b"\n", long, b"\nlast"):
            await answer.write(part)
            await asyncio.sleep(0.01)
        return answer

    async with serving(talk) as url, transport(url) as client, client.stream(Request("GET", "/")) as stream:
        lines = [line async for line in stream.lines()]
    assert lines == [b"ab", b"c", b"", long, b"last"]


async def test_a_line_without_end_is_refused() -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(LINE_LIMIT // (1024 * 1024) + 1):
            await answer.write(b"x" * 1024 * 1024)
        return answer

    async with serving(talk) as url, transport(url) as client, client.stream(Request("GET", "/")) as stream:
        with pytest.raises(TransportError, match="longer than"):
            [line async for line in stream.lines()]


async def test_a_token_is_asked_for_each_request_and_renewed_once_after_a_401() -> None:
    asked: list[bool] = []
    tokens = ["old"]

    async def headers(refused: bool) -> Mapping[str, str]:
        asked.append(refused)
        if refused:
            tokens.append("new")
        return {"authorization": f"Bearer {tokens[-1]}"}

    async def guard(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["authorization"] == "Bearer new" else 401)

    async with serving(guard) as url, transport(url, headers=headers) as client:
        assert (await client.send(Request("GET", "/"))).status == 200
        assert (await client.send(Request("GET", "/"))).status == 200
    assert asked == [False, True, False]


async def test_a_401_stands_when_there_is_no_other_token() -> None:
    requests = 0

    async def refuse(_request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response(status=401)

    async with serving(refuse) as url, transport(url) as client:
        assert (await client.send(Request("GET", "/"))).status == 401
    assert requests == 1


async def test_credentials_do_not_follow_a_redirect() -> None:
    async def headers(_refused: bool) -> Mapping[str, str]:
        return {"authorization": "Bearer s3cret"}

    async def elsewhere(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})

    async with serving(elsewhere) as url, transport(url, headers=headers) as client:
        assert (await client.send(Request("GET", "/"))).status == 307


async def test_nobody_listens() -> None:
    async with raw(b"") as url:
        pass
    async with transport(url) as client:
        with pytest.raises(TransportError) as caught:
            await client.send(Request("GET", "/api"))
    assert str(caught.value).startswith("GET /api: no usable answer: no connection to 127.0.0.1:")
    assert caught.value.hint == "is the server running, and is its address right?"


async def test_who_connects_says_what_helps() -> None:
    hints = Hints("is it on?", "is it ours?", "is it slow?")

    async def asked(client: HttpTransport, timeout: float) -> str:
        with pytest.raises(TransportError) as caught:
            await client.send(Request("GET", "/", timeout=timeout))
        return caught.value.hint

    async with serving(sleepy) as url, transport(url, hints=hints) as client:
        assert await asked(client, 0.05) == "is it slow?"
    async with transport(url, hints=hints) as client:
        assert await asked(client, 30) == "is it on?"
    async with raw(b"HTTP/1.1 400 No\r\n\r\n") as url, transport(url.replace("http:", "https:"), hints=hints) as client:
        assert await asked(client, 30) == "is it ours?"


async def test_no_answer_in_time() -> None:
    async with serving(sleepy) as url, transport(url) as client:
        with pytest.raises(TransportError, match=r"no answer within 0\.05 s"):
            await client.send(Request("GET", "/", timeout=0.05))
        with pytest.raises(TransportError, match=r"no answer within 0\.05 s"):
            async with client.stream(Request("GET", "/", timeout=0.05)):
                pass


async def test_a_transport_that_is_closed_opens_nothing_more() -> None:
    async with serving(echo) as url:
        async with transport(url) as it:
            await it.send(Request("GET", "/a"))
        with pytest.raises(TransportError, match="GET /b: the transport is closed"):
            await it.send(Request("GET", "/b"))
        with pytest.raises(TransportError, match="GET /c: the transport is closed"):
            async with it.stream(Request("GET", "/c")):
                pass


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
)
async def test_what_is_not_an_answer(answer: bytes) -> None:
    async def headers(_refused: bool) -> Mapping[str, str]:
        return {"authorization": "Bearer s3cret"}

    async with raw(answer) as url, transport(url, headers=headers) as client:
        with pytest.raises(TransportError) as caught:
            await client.send(Request("GET", "/api"))
    assert "s3cret" not in "\n".join(caught.value.diagnostics())


async def test_tls_with_somebody_who_does_not_speak_it() -> None:
    context = ssl.create_default_context()
    async with (
        raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url,
        transport(url.replace("http:", "https:"), ssl=context) as client,
    ):
        with pytest.raises(TransportError, match="TLS failed") as caught:
            await client.send(Request("GET", "/api"))
    assert "certificate authority" in caught.value.hint


async def test_a_stream_that_breaks_off() -> None:
    seen: list[bytes] = []

    async def read(stream: Stream) -> None:
        async for line in stream.lines():
            seen.append(line)  # noqa: PERF401 - what came before the break counts

    broken = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none\n\r\nff\r\ntw"
    async with raw(broken) as url, transport(url) as client, client.stream(Request("GET", "/")) as stream:
        with pytest.raises(TransportError):
            await read(stream)
    assert seen == [b"one"]


async def test_an_answer_longer_than_wanted_is_no_answer() -> None:
    async def long(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100_000)

    async with serving(long) as url, transport(url) as client:
        assert len((await client.send(Request("GET", "/", limit=100_000))).body) == 100_000
        with pytest.raises(TransportError, match="more than 99,999 bytes"):
            await client.send(Request("GET", "/", limit=99_999))


def hung_up(listener: socket.socket, context: ssl.SSLContext, asked: Callable[[], object]) -> bool:
    """Take one request, and say whether the client's connection ends, not only its half of TLS."""
    peer = context.wrap_socket(listener.accept()[0], server_side=True)
    peer.recv(4096)
    asked()
    with socket.socket(fileno=peer.detach()) as plain:
        plain.settimeout(5)
        try:
            while plain.recv(4096):  # words of TLS
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True


async def test_a_request_that_was_given_up_leaves_no_connection_behind(tmp_path: Path) -> None:
    """The server never does its part of a polite end of TLS."""
    pair = self_signed(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = partial(loop.call_soon_threadsafe, asked.set)
        serving = asyncio.create_task(asyncio.to_thread(hung_up, listener, context, told))
        trusting = ssl.create_default_context(cafile=str(pair.certificate))
        async with transport(f"https://127.0.0.1:{listener.getsockname()[1]}", ssl=trusting) as client:
            request = asyncio.create_task(client.send(Request("GET", "/")))
            await asked.wait()
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
        assert await serving


async def test_a_request_that_is_given_up_at_the_end_of_its_handshake_is_hung_up_at_once(tmp_path: Path) -> None:
    """asyncio would wait for the server's part of a polite end, and aiohttp has forgotten the connection."""
    pair = self_signed(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    class GivenUp(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            request.cancel()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(asyncio.to_thread(hung_up, listener, context, lambda: None))
        trusting = ssl.create_default_context(cafile=str(pair.certificate))
        trusting.sslobject_class = GivenUp
        async with transport(f"https://127.0.0.1:{listener.getsockname()[1]}", ssl=trusting) as client:
            request = asyncio.create_task(client.send(Request("GET", "/")))
            with pytest.raises(asyncio.CancelledError):
                await request
            assert await serving
