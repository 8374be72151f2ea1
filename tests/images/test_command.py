"""Programs that take long: their lines, their ends, and nothing left of them."""

import asyncio
import os
from pathlib import Path

import pytest
from processes import until

from reconciler.errors import BuildFailed
from reconciler.images.builder import TAIL
from reconciler.images.command import Commands, disk_usage

LASTING = f"sleep {2 * 10**6 + os.getpid()}"  # a command that nobody else on this machine runs
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "ONLY": "this"}


class Shell:
    def __init__(self, folder: Path, quota: int = 10**9) -> None:
        self.lines: list[str] = []
        self.commands = Commands(folder, ENVIRONMENT, quota, self.lines.append)

    async def run(self, script: str) -> list[str]:
        await self.commands.run(["sh", "-c", script], "the script")
        return self.lines


def running() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if words[:2] == LASTING.split():
            found.append(process.name)
    return found


async def ended() -> None:
    """Wait until none runs: what is killed takes a moment to go."""
    await asyncio.to_thread(until, lambda: not running(), "nothing runs any more")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


async def test_lines_of_both_streams_in_their_order(shell: Shell) -> None:
    assert await shell.run("echo one; echo two >&2; printf three") == ["one", "two", "three"]


async def test_lines_fit_to_be_shown(shell: Shell) -> None:
    script = r"printf 'a\033[31mred\033[0mb\n10%%\r50%%\r100%%\n\377\000\007x\ncrlf\r\n'"
    assert await shell.run(script) == ["aredb", "100%", "\ufffd  x", "crlf"]


async def test_a_line_that_does_not_end(shell: Shell) -> None:
    lines = await shell.run("head -c 300000 /dev/zero | tr '\\0' x; echo; echo after")
    assert lines[-1] == "after"
    assert all(len(line) <= 500 for line in lines)


async def test_the_environment_is_all_that_is_seen(shell: Shell) -> None:
    assert "ONLY=this" in await shell.run("env")
    assert not [line for line in shell.lines if line.startswith(("HOME=", "USER=", "VIRTUAL_ENV="))]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo Error: no luck; echo other; exit 3", "Error: no luck"),
        ("echo error: first; echo error: last; exit 3", "error: last"),
        ("echo no hint; exit 3", "no hint"),
        ("exit 3", "exit status 3"),
        ("kill -9 $$", "exit status -9"),
    ],
)
async def test_why_a_command_failed(shell: Shell, script: str, why: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        await shell.run(script)
    assert str(caught.value) == f"the script failed: {why}"


async def test_the_last_lines_of_all_commands_come_with_a_failure(shell: Shell) -> None:
    await shell.run("seq 1 100")
    with pytest.raises(BuildFailed) as caught:
        await shell.run("echo last; exit 1")
    assert len(caught.value.log) == TAIL
    assert caught.value.log[-2:] == ("100", "last")


async def test_who_holds_the_output_does_not_hold_the_command(shell: Shell) -> None:
    assert await shell.run(f"{LASTING} & echo done") == ["done"]
    await ended()


async def test_a_cancelled_command_is_killed_with_its_children(shell: Shell) -> None:
    command = asyncio.create_task(shell.run(f"echo begun; {LASTING} & {LASTING}"))
    await asyncio.to_thread(until, lambda: shell.lines, "its first line")
    command.cancel()
    with pytest.raises(asyncio.CancelledError):
        await command
    await ended()


async def test_a_full_disk_ends_the_command(tmp_path: Path) -> None:
    shell = Shell(tmp_path, quota=5_000_000)
    with pytest.raises(BuildFailed, match=r"the script took [\d,]+ bytes of disk, more than 5,000,000"):
        await shell.run(f"head -c 20000000 /dev/zero > file; {LASTING}")
    await ended()
    assert disk_usage(tmp_path) > 5_000_000
    assert disk_usage(tmp_path / "none") == 0
