"""One POST: what each answer means, and what is never said."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from hook_server import DROP, HANG, HookServer
from processes import until

from reconciler.alerts.receivers.posting import Poster
from reconciler.clock import SystemClock
from reconciler.daemon.alerting import connect
from reconciler.errors import AlertError, Refused, TransportError, Undelivered
from reconciler.http.transport import Request, Response, Transport

SECRET = "/services/T000/B000/hunter2"


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server


@pytest.fixture
def url(tmp_path: Path, hook: HookServer) -> Path:
    file = tmp_path / "url"
    file.write_text(f"  {hook.url(SECRET)}?key=hunter2\n")
    return file


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def poster(url: Path, **more: str) -> Poster:
    return Poster(connect, SystemClock(), url_file=str(url), **more)


async def post(post: Poster, path: str = "", *secrets: str) -> None:
    try:
        await post.post(path, {"content-type": "application/json"}, b"{}", *secrets)
    finally:
        await post.close()


async def failure(poster: Poster, *secrets: str) -> AlertError:
    with pytest.raises(AlertError) as caught:
        await post(poster, "", *secrets)
    return caught.value


async def test_what_is_sent(tmp_path: Path, url: Path, hook: HookServer) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    await post(poster(url, token_file=str(token)))
    ((path, headers, body, _),) = hook.taken
    assert (path, body) == (f"{SECRET}?key=hunter2", b"{}")
    assert (headers["authorization"], headers["content-type"]) == ("Bearer t0ken", "application/json")


async def test_a_path_below_a_stated_url(hook: HookServer) -> None:
    for base in (hook.url("/am/"), hook.url("/am"), hook.url("")):
        await post(Poster(connect, SystemClock(), url=base), "/api/v2/alerts")
    assert [each.path for each in hook.taken] == ["/am/api/v2/alerts", "/am/api/v2/alerts", "/api/v2/alerts"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_answers_that_are_worth_another_try(url: Path, hook: HookServer, status: int) -> None:
    hook.answers, hook.headers = [status], {"Retry-After": "17"}
    error = await failure(poster(url))
    assert isinstance(error, Undelivered)
    assert error.retry_after == 17
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 405, 410, 413, 422])
async def test_answers_that_are_not(url: Path, hook: HookServer, status: int) -> None:
    hook.answers, hook.headers = [status], {"Location": hook.url("/elsewhere")}
    error = await failure(poster(url))
    assert isinstance(error, Refused)
    assert str(status) in str(error)
    assert len(hook.taken) == 1, "a redirect is not followed: it would take the token along"


async def test_a_server_that_is_not_there_or_breaks_off(tmp_path: Path, url: Path, hook: HookServer) -> None:
    hook.answers = [DROP]
    assert isinstance(await failure(poster(url)), Undelivered)
    gone = tmp_path / "gone"
    gone.write_text("http://127.0.0.1:1/services/hunter2")
    error = await failure(poster(gone))
    assert isinstance(error, Undelivered)
    assert "hunter2" not in str(error)
    assert "127.0.0.1" not in str(error)


async def test_a_server_that_hangs(url: Path, hook: HookServer) -> None:
    hook.answers = [HANG]
    task = asyncio.ensure_future(post(poster(url)))
    await asyncio.to_thread(until, lambda: hook.taken, "the request is there")
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_request_has_a_deadline(url: Path) -> None:
    seen: list[Request] = []

    class Hanging:
        async def send(self, request: Request) -> Response:
            seen.append(request)
            raise TransportError(
                "no usable answer", where=f"POST {request.path}", why="no answer within 10 s", hint="wait"
            )

        async def close(self) -> None:
            pass

    def hang(_base: str, _authorities: str) -> Transport:
        return Hanging()  # type: ignore[return-value]

    error = await failure(Poster(hang, SystemClock(), url_file=str(url)))
    assert seen[0].timeout == 10
    assert (str(error), error.hint) == ("there is no answer: no answer within 10 s", "wait")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "hunter2",
        "ftp://a/hunter2",
        "http://bot:hunter2@a/",
        "http://[hunter2/",
        "http://a:99999/",
        "http://a b",
    ],
)
async def test_a_file_without_a_url(tmp_path: Path, text: str) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    error = await failure(poster(file))
    assert isinstance(error, Undelivered), "the file may be corrected"
    assert str(file) in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * 100_000])
async def test_a_file_that_is_no_secret(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    error = await failure(poster(file))
    assert isinstance(error, Undelivered)
    assert str(file) in str(error)


async def test_a_changed_file_is_used_at_once(tmp_path: Path, url: Path, hook: HookServer) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    with HookServer() as other:
        used = poster(url, token_file=str(token))
        await used.post("", {}, b"1")
        token.write_text("two")
        await used.post("", {}, b"2")
        write(url, other.url("/new"))
        await used.post("", {}, b"3")
        await used.close()
        assert [each.headers["authorization"] for each in hook.taken] == ["Bearer one", "Bearer two"]
        assert [each.path for each in other.taken] == ["/new"]


async def test_an_answer_that_repeats_the_secrets_is_not_repeated(tmp_path: Path, url: Path, hook: HookServer) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    hook.answers = [403]
    hook.said = f"no {SECRET} for t0ken, \x1b[31msig 0xsecret at {hook.url(SECRET)}?key=hunter2".encode()
    error = await failure(poster(url, token_file=str(token)), "0xsecret")
    for secret in ("hunter2", "t0ken", "0xsecret", "\x1b"):
        assert secret not in str(error)
    assert "403" in str(error)


async def test_https_by_authorities_in_a_file(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    for each in (authority, stranger):
        write(each.folder / "x", "")
        await asyncio.to_thread(each.create)
    pair = await asyncio.to_thread(authority.server, ["IP:127.0.0.1"])
    url = tmp_path / "url"
    with HookServer((pair.certificate, pair.key)) as hook:
        write(url, hook.url("/hunter2"))
        await post(poster(url, ca_file=str(authority.pair.certificate)))
        assert [each.path for each in hook.taken] == ["/hunter2"]
        for doubtful in ({}, {"ca_file": str(stranger.pair.certificate)}):
            error = await failure(poster(url, **doubtful))
            assert isinstance(error, Undelivered)
            assert "TLS failed" in str(error)
            assert "hunter2" not in str(error)
        assert len(hook.taken) == 1


async def test_authorities_that_are_none(tmp_path: Path) -> None:
    url, ca = tmp_path / "url", tmp_path / "ca"
    url.write_text("https://127.0.0.1:1/hunter2")
    ca.write_text("not a certificate")
    error = await failure(poster(url, ca_file=str(ca)))
    assert isinstance(error, Undelivered)
    assert "caFile" in str(error)
