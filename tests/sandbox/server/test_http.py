"""The server on a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from processes import until
from sandbox_api import CONFIG_MAPS, Api, config_map

from reconciler.clock import SystemClock
from reconciler.sandbox.http import serve
from reconciler.sandbox.kubeconfig import write_kubeconfig
from reconciler.sandbox.server import Sandbox


class Connection:
    """Raw HTTP, so that the bytes can be looked at."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), headers

    async def answer(self) -> tuple[int, bytes]:
        status, headers = await self.head()
        return status, await self.reader.readexactly(int(headers["content-length"]))

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve(Sandbox(clock=SystemClock())) as url:
        yield url


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield Connection(reader, writer)
    writer.close()
    await writer.wait_closed()


def post(body: bytes, *headers: str) -> bytes:
    lines = [f"POST {CONFIG_MAPS} HTTP/1.1", "host: x", "content-type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_one_connection_takes_many_requests(connection: Connection) -> None:
    await connection.send(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n" * 2 + b"GET /version HTTP/1.1\r\n")
    assert await connection.answer() == (200, b"ok")
    assert await connection.answer() == (200, b"ok")
    await connection.send(b"host: x\r\n\r\n")
    assert (await connection.answer())[0] == 200


async def test_a_body_comes_by_length_or_in_chunks(connection: Connection) -> None:
    body = json.dumps(config_map("a")).encode()
    await connection.send(post(body, f"content-length: {len(body)}", "expect: 100-continue"))
    assert (await connection.head())[0] == 100
    assert (await connection.answer())[0] == 201
    body = json.dumps(config_map("b")).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:]))
    await connection.send(post(b"", "transfer-encoding: chunked") + chunks[:15])
    await connection.send(chunks[15:] + b"0\r\n\r\n")
    assert (await connection.answer())[0] == 201


async def test_a_watch_is_streamed_and_the_connection_used_again(connection: Connection, url: str) -> None:
    await connection.send(f"GET {CONFIG_MAPS}?watch=true&timeoutSeconds=1 HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    status, headers = await connection.head()
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    body = json.dumps(config_map()).encode()
    writer.write(post(body, f"content-length: {len(body)}", "connection: close"))
    assert b" 201 " in await reader.readline()
    await reader.read()
    writer.close()
    event = json.loads(await connection.chunk())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "settings")
    assert await connection.chunk() == b""
    await connection.send(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await connection.answer())[0] == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"x" * 70_000, 400),
    ],
)
async def test_what_is_not_http_is_refused_and_cut_off(connection: Connection, sent: bytes, status: int) -> None:
    await connection.send(sent)
    assert (await connection.answer())[0] == status
    assert await connection.reader.read() == b""


async def test_a_caller_that_leaves_ends_its_watch() -> None:
    sandbox = Sandbox(clock=SystemClock())
    async with serve(sandbox) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(f"GET {CONFIG_MAPS}?watch=true HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        assert sandbox.watches == 1
        writer.close()
        await writer.wait_closed()
        await asyncio.to_thread(until, lambda: not sandbox.watches, "it is no watch any more")


def test_a_kubeconfig_names_the_server(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config"
    write_kubeconfig(path, "http://127.0.0.1:8001", namespace="shop")
    config = yaml.safe_load(path.read_text())
    assert config["clusters"][0]["cluster"] == {"server": "http://127.0.0.1:8001"}
    assert config["contexts"][0]["context"]["namespace"] == "shop"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_transport_without_a_socket_can_be_closed(api: Api) -> None:
    from reconciler.errors import TransportError
    from reconciler.http.transport import Request

    transport = api.sandbox.transport()
    assert (await transport.send(Request("GET", "/readyz"))).status == 200
    await transport.close()
    with pytest.raises(TransportError):
        await transport.send(Request("GET", "/readyz"))


async def test_who_leaves_without_reading_the_answers_is_not_written_to(caplog: pytest.LogCaptureFixture) -> None:
    api = Api()
    for number in range(20):
        api.post(CONFIG_MAPS, config_map(f"c{number}", {"a": "x" * 20_000}))
    async with serve(api.sandbox) as url:
        address = urlsplit(url)
        for start in ("", "?watch=1"):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            listing = b"GET /api/v1/configmaps%b HTTP/1.1\r\nhost: x\r\n\r\n"
            writer.write(listing % start.encode() + listing % b"" * 30)
            await writer.drain()
            writer.transport.abort()
    assert "socket.send() raised exception." not in caplog.messages
