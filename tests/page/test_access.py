"""Who may see the page."""

from pathlib import Path

import pytest
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.daemon.page.access import LASTS, Access, Verdict, Visitor

TOKEN = "a-long-and-secret-word"
HERE = Visitor("127.0.0.1", "localhost:8080")
AWAY = Visitor("10.1.2.3", "reconciler.example.com")


def bearer(token: str) -> Visitor:
    return Visitor(AWAY.peer, AWAY.host, f"Bearer {token}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "token"
    made.write_text(f"{TOKEN}\n")
    return made


@pytest.mark.parametrize(
    ("peer", "host", "verdict"),
    [
        ("127.0.0.1", "localhost:8080", Verdict.YES),
        ("127.0.0.1", "127.0.0.1", Verdict.YES),
        ("::1", "[::1]:8080", Verdict.YES),
        ("::ffff:127.0.0.1", "LOCALHOST:1", Verdict.YES),
        ("127.0.0.1", "reconciler.example.com", Verdict.ELSEWHERE),  # a name that was made to point here
        ("127.0.0.1", "", Verdict.ELSEWHERE),
        ("10.1.2.3", "localhost:8080", Verdict.ELSEWHERE),
        ("::ffff:10.1.2.3", "localhost:8080", Verdict.ELSEWHERE),
        ("", "localhost", Verdict.ELSEWHERE),
        ("unix:", "localhost", Verdict.ELSEWHERE),
    ],
)
def test_without_a_token_only_this_machine(peer: str, host: str, verdict: Verdict) -> None:
    assert Access(None, LoopClock()).judge(Visitor(peer, host)) is verdict


def test_what_a_proxy_passes_on_is_not_from_this_machine() -> None:
    assert Access(None, LoopClock()).judge(Visitor(HERE.peer, HERE.host, forwarded=True)) is Verdict.ELSEWHERE


@virtual
async def test_with_a_token_only_who_has_it(file: Path) -> None:
    access = Access(str(file), LoopClock())
    assert access.judge(bearer(TOKEN)) is Verdict.YES
    assert access.judge(Visitor("", "", f"bearer  {TOKEN}")) is Verdict.YES
    for wrong in (TOKEN[:-1], f"{TOKEN}x", "", "ü" * 20):
        assert access.judge(bearer(wrong)) is Verdict.TOKEN
    assert access.judge(HERE) is Verdict.TOKEN
    assert access.judge(Visitor("", "", f"Basic {TOKEN}")) is Verdict.TOKEN


@virtual
async def test_a_cookie_opens_for_a_day_and_holds_no_token(file: Path) -> None:
    clock = LoopClock()
    access = Access(str(file), clock)
    cookie = access.opens(f" {TOKEN} ")
    assert cookie
    assert TOKEN not in cookie
    visitor = Visitor("", "", cookie=cookie)
    await clock.sleep(LASTS - 2)
    assert access.judge(visitor) is Verdict.YES
    await clock.sleep(3)
    assert access.judge(visitor) is Verdict.TOKEN


@virtual
async def test_a_cookie_cannot_be_made_or_lengthened(file: Path) -> None:
    access = Access(str(file), LoopClock())
    cookie = access.opens(TOKEN) or ""
    end, seal = cookie.split(".")
    later = str(int(end) + LASTS)
    for forged in (f"{later}.{seal}", f"{end}.{'0' * len(seal)}", end, f".{seal}", "", ".", "x.y", f"{seal}.{end}"):
        assert access.judge(Visitor("", "", cookie=forged)) is Verdict.TOKEN
    assert access.opens("another-word-of-that-length") is None


@virtual
async def test_a_new_token_ends_what_the_old_one_opened(file: Path) -> None:
    access = Access(str(file), LoopClock())
    cookie = access.opens(TOKEN) or ""
    file.write_text("another-word-of-that-length")  # noqa: ASYNC240 - a file of a test
    assert access.judge(Visitor("", "", cookie=cookie)) is Verdict.TOKEN
    assert access.judge(bearer(TOKEN)) is Verdict.TOKEN
    assert access.judge(bearer("another-word-of-that-length")) is Verdict.YES


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"short", b"\xff" * 30])
@virtual
async def test_a_token_that_cannot_be_trusted_opens_to_nobody(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    access = Access(str(file), LoopClock())
    for visitor in (HERE, bearer(""), bearer("short"), Visitor("", "", cookie="1.2")):
        assert access.judge(visitor) is Verdict.BROKEN
    assert access.opens("") is None
    assert access.opens("short") is None
