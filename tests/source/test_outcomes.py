"""What a poll answers when something is wrong: the last good snapshot stays in force, and the error says what to do."""

import asyncio
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from git_server import Fault

from reconciler.clock import LoopClock
from reconciler.errors import SourceError, SourceMissing, SourceRefused, SourceTooLarge, SourceUnreachable
from reconciler.model.config import GitLimits, SourceConfig
from reconciler.source.process import Stopped
from reconciler.source.repository import GitSource

Make = Callable[..., GitSource]


def suffixes(cache: Path) -> set[str]:
    return {place.suffix for place in cache.iterdir()}


def only_mirror(cache: Path) -> Path:
    (found,) = cache.glob("*.git")
    return found


def objects_of(mirror: Path) -> list[Path]:
    return [place for place in (mirror / "objects").rglob("*") if place.is_file()]


async def test_a_force_push_is_followed_and_said(repository, source: Make) -> None:
    first = repository.commit({"a.yaml": "1"})
    repository.commit({"a.yaml": "2"})
    shop = source()
    await shop.poll()
    repository.git("reset", "--hard", "--quiet", first)
    rewritten = repository.commit({"a.yaml": "3"})

    poll = await shop.poll()

    assert poll.error is None
    assert poll.snapshot.revision.commit == rewritten
    assert "the history of main was rewritten" in poll.notice


async def test_a_moved_tag_is_followed_and_said(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    repository.git("tag", "v1.0.0")
    shop = source(ref="v1.0.0")
    await shop.poll()
    moved = repository.commit({"a.yaml": "2"})
    repository.git("tag", "--force", "v1.0.0")

    poll = await shop.poll()

    assert poll.snapshot.revision.commit == moved
    assert "the tag v1.0.0 was moved" in poll.notice


async def test_a_deleted_branch_changes_nothing(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    repository.git("branch", "release")
    shop = source(ref="release")
    good = (await shop.poll()).snapshot
    repository.git("branch", "--delete", "--force", "release")

    poll = await shop.poll()

    assert isinstance(poll.error, SourceMissing)
    assert poll.snapshot is good
    assert not poll.changed
    repository.git("branch", "release")
    assert (await shop.poll()).error is None


async def test_an_empty_repository_says_so(repository, source: Make) -> None:
    shop = source()
    poll = await shop.poll()
    assert isinstance(poll.error, SourceMissing)
    assert "empty" in poll.error.what
    assert poll.snapshot is None
    assert not poll.changed
    repository.commit({"a.yaml": "1"})
    assert (await shop.poll()).snapshot is not None


async def test_a_misspelt_branch_gets_a_hint(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    poll = await source(ref="mian").poll()
    assert isinstance(poll.error, SourceMissing)
    assert poll.error.hint == "is it 'main'?"
    assert poll.error.where == "source shop"


async def test_a_range_without_a_version_says_so(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    repository.git("tag", "v3.0.0")
    poll = await source(ref="semver:<2").poll()
    assert isinstance(poll.error, SourceMissing)


async def test_a_tag_of_a_blob_is_no_commit(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    repository.git("tag", "odd", "HEAD:a.yaml")
    poll = await source(ref="odd").poll()
    assert isinstance(poll.error, SourceMissing)
    assert "does not lead to a commit" in str(poll.error)


async def test_a_repository_that_disappears_changes_nothing_even_after_a_restart(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source()
    good = (await shop.poll()).snapshot
    shutil.rmtree(repository.path)

    poll = await shop.poll()
    assert isinstance(poll.error, SourceMissing)
    assert poll.snapshot is good

    restarted = source()
    poll = await restarted.poll()
    assert isinstance(poll.error, SourceMissing)
    assert poll.changed
    assert poll.snapshot == good
    blob = good.entries[0].blob
    assert await restarted.read([blob]) == {blob: b"1"}


async def test_the_last_good_commit_of_another_ref_is_not_in_force(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    await source().poll()
    shutil.rmtree(repository.path)
    assert (await source(ref="production").poll()).snapshot is None


async def test_the_delay_grows_while_it_fails_and_falls_back(repository, source: Make, tmp_path) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source(interval=60.0)
    first = await shop.poll()
    assert 54 <= first.delay <= 66
    repository.path.rename(tmp_path / "away")
    polls = [await shop.poll() for _ in range(8)]
    for poll, doubled in zip(polls, (60, 120, 240, 480, 600, 600, 600, 600), strict=True):
        assert 0.8 * doubled <= poll.delay <= doubled
    assert [poll.failures for poll in polls] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len({poll.delay for poll in polls}) == 8, "jitter"
    assert len({poll.since for poll in polls}) == 1
    (tmp_path / "away").rename(repository.path)
    last = await shop.poll()
    assert 54 <= last.delay <= 66
    assert (last.failures, last.since, last.error) == (0, None, None)


async def test_an_unreachable_server(source: Make) -> None:
    poll = await source(url="http://127.0.0.1:1/shop.git").poll()
    assert isinstance(poll.error, SourceUnreachable)


@pytest.mark.parametrize("fault", ["ERROR", "DROP"])
async def test_a_server_that_fails_comes_back(repository, source: Make, server, fault: str) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source(url=server.url("shop/.git"))
    good = (await shop.poll()).snapshot
    server.fault = Fault[fault]
    poll = await shop.poll()
    assert isinstance(poll.error, SourceUnreachable)
    assert poll.snapshot is good
    server.fault = Fault.NONE
    commit = repository.commit({"a.yaml": "2"})
    assert (await shop.poll()).snapshot.revision.commit == commit


async def test_a_server_that_answers_something_else(repository, source: Make, server) -> None:
    repository.commit({"a.yaml": "1"})
    server.fault = Fault.GARBAGE
    poll = await source(url=server.url("shop/.git")).poll()
    assert isinstance(poll.error, SourceUnreachable)
    assert "login page" in poll.error.hint
    assert poll.snapshot is None


async def test_no_repository_at_the_url(repository, source: Make, server) -> None:
    poll = await source(url=server.url("nothing.git")).poll()
    assert isinstance(poll.error, SourceMissing)


@pytest.mark.parametrize("fault", ["HANG", "HANG_PACK"])
async def test_a_server_that_hangs_is_given_up(repository, source: Make, server, fault: str) -> None:
    repository.commit({"a.yaml": "1"})
    server.fault = Fault[fault]
    poll = await source(url=server.url("shop/.git"), timeout=0.5).poll()
    assert isinstance(poll.error, SourceUnreachable)
    assert "did not finish within 0.5 s" in poll.error.what
    assert not children(), "Git and its helpers were killed"


async def test_cancelling_a_poll_kills_its_git(repository, source: Make, server) -> None:
    repository.commit({"a.yaml": "1"})
    server.fault = Fault.HANG
    shop = source(url=server.url("shop/.git"), timeout=600.0)
    polling = asyncio.create_task(shop.poll())
    await asyncio.to_thread(server.hanging.wait, 20)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    assert not children()
    server.fault = Fault.NONE
    assert (await shop.poll()).error is None


async def test_closing_ends_a_poll(repository, source: Make, server) -> None:
    repository.commit({"a.yaml": "1"})
    server.fault = Fault.HANG
    shop = source(url=server.url("shop/.git"), timeout=600.0)
    polling = asyncio.create_task(shop.poll())
    await asyncio.to_thread(server.hanging.wait, 20)
    await shop.close()
    assert isinstance((await polling).error, Stopped)
    assert not children()


def children() -> list[str]:
    """Git processes below this one."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, check=False)
    return [line for line in listed.stdout.decode().splitlines() if "ls-remote" in line or "fetch" in line]


async def test_too_many_files_keep_the_last_good(repository, source: Make, commands) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source(limits=GitLimits(files=2))
    good = (await shop.poll()).snapshot
    repository.commit({"b.yaml": "1", "c.yaml": "1"})

    poll = await shop.poll()
    assert isinstance(poll.error, SourceTooLarge)
    assert poll.snapshot is good

    commands.clear()
    assert isinstance((await shop.poll()).error, SourceTooLarge)
    assert commands == {"ls-remote": 1}, "the commit that was refused is not looked at again"

    commit = repository.commit({"b.yaml": None})
    assert (await shop.poll()).snapshot.revision.commit == commit


async def test_too_many_bytes_under_the_paths_keep_the_last_good(repository, source: Make) -> None:
    repository.commit({"base/a.yaml": "1", "assets/big": "x" * 500})
    shop = source(paths=("base",), limits=GitLimits(total_bytes=100))
    good = (await shop.poll()).snapshot
    repository.commit({"base/b.yaml": "x" * 200})
    poll = await shop.poll()
    assert isinstance(poll.error, SourceTooLarge)
    assert poll.snapshot is good


async def test_stricter_limits_after_a_restart_do_not_stop_polling(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1", "b.yaml": "2"})
    await source().poll()
    strict = source(limits=GitLimits(files=1))
    assert isinstance((await strict.poll()).error, SourceTooLarge)
    commit = repository.commit({"b.yaml": None})
    assert (await strict.poll()).snapshot.revision.commit == commit


async def test_an_unsafe_object_is_refused(repository, source: Make) -> None:
    """A tree with a name that Git would write into its own folder at a checkout."""
    good = repository.commit({"a.yaml": "1"})
    shop = source()
    await shop.poll()
    blob = repository.git("hash-object", "-w", "--stdin", data=b"evil")
    inner = repository.git("mktree", data=f"100644 blob {blob}\tconfig\n".encode())
    entry = b"40000 .git\0" + bytes.fromhex(inner)
    outer = repository.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=entry)
    commit = repository.git("commit-tree", "-p", good, "-m", "evil", outer)
    repository.git("update-ref", "refs/heads/main", commit)

    poll = await shop.poll()

    assert isinstance(poll.error, SourceRefused)
    assert poll.snapshot.revision.commit == good


@pytest.mark.parametrize("way", ["truncated pack", "no objects", "no HEAD", "bad ref", "gone"])
async def test_a_corrupt_mirror_is_fetched_anew(repository, source: Make, cache: Path, way: str) -> None:
    commit = repository.commit({"a.yaml": "1", "b.yaml": "2"})
    good = (await source().poll()).snapshot
    mirror = only_mirror(cache)
    match way:
        case "truncated pack":
            for place in objects_of(mirror):
                place.chmod(0o600)
                place.write_bytes(place.read_bytes()[:20])
        case "no objects":
            for place in objects_of(mirror):
                place.unlink()
        case "no HEAD":
            (mirror / "HEAD").unlink()
        case "bad ref":
            for place in (mirror / "refs" / "reconciler").rglob("*"):
                if place.is_file():
                    place.write_text("")
        case "gone":
            shutil.rmtree(mirror)

    shop = source()
    poll = await shop.poll()

    assert poll.error is None
    assert poll.snapshot == good
    assert poll.snapshot.revision.commit == commit
    ids = [entry.blob for entry in good.entries]
    assert set((await shop.read(ids)).values()) == {b"1", b"2"}
    assert suffixes(cache) == {".git", ".lock"}


async def test_damage_found_while_reading_is_healed_by_the_next_poll(repository, source: Make, cache: Path) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source()
    snapshot = (await shop.poll()).snapshot
    for place in objects_of(only_mirror(cache)):
        place.unlink()
    blob = snapshot.entries[0].blob
    with pytest.raises(SourceError):
        await shop.read([blob])
    poll = await shop.poll()
    assert poll.error is None
    assert not poll.changed, "the commit is the same"
    assert await shop.read([blob]) == {blob: b"1"}


async def test_a_corrupt_mirror_stays_while_the_server_is_away(repository, source: Make, cache: Path, tmp_path) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source()
    good = (await shop.poll()).snapshot
    for place in objects_of(only_mirror(cache)):
        place.unlink()
    with pytest.raises(SourceError):
        await shop.read([good.entries[0].blob])
    repository.path.rename(tmp_path / "away")
    poll = await shop.poll()
    assert isinstance(poll.error, SourceMissing)
    assert poll.snapshot is good
    (tmp_path / "away").rename(repository.path)
    assert (await shop.poll()).error is None
    assert await shop.read([good.entries[0].blob])


async def test_what_a_kill_left_behind_is_removed(repository, source: Make, cache: Path) -> None:
    repository.commit({"a.yaml": "1"})
    await source().poll()
    mirror = only_mirror(cache)
    (mirror / "objects" / "pack").mkdir(exist_ok=True)
    leftovers = [
        mirror / "objects" / "pack" / "tmp_pack_aB3",
        mirror / "packed-refs.lock",
        next(mirror.glob("refs/reconciler/good/*")).with_suffix(".lock"),
    ]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    mirror.with_suffix(".spare").mkdir()
    repository.commit({"a.yaml": "2"})

    assert (await source().poll()).error is None

    assert not any(leftover.exists() for leftover in leftovers)
    assert not mirror.with_suffix(".spare").exists()


async def test_two_processes_use_one_mirror(repository, cache: Path, tmp_path) -> None:
    """Two sources of one configuration poll at the same time, again and again, while commits come in."""
    repository.commit({"a.yaml": "0"})
    config = SourceConfig(name="shop", url=str(repository.path), timeout=20.0)
    pair = [GitSource(config, cache, clock=LoopClock(), random=Random(n)) for n in range(2)]
    for number in range(4):
        commit = repository.commit({"a.yaml": str(number + 1)})
        polls = await asyncio.gather(*(shop.poll() for shop in pair))
        assert [poll.error for poll in polls] == [None, None]
        assert {poll.snapshot.revision.commit for poll in polls} == {commit}


async def test_a_held_lock_is_an_error_not_a_wait_for_ever(repository, source: Make, cache: Path) -> None:
    repository.commit({"a.yaml": "1"})
    await source().poll()
    lock = only_mirror(cache).with_suffix(".lock")
    with lock.open("ab") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        poll = await source(timeout=0.2).poll()
    assert isinstance(poll.error, SourceError)
    assert "lock" in poll.error.what
    assert (await source().poll()).error is None


async def test_a_cache_that_cannot_be_written(repository) -> None:
    repository.commit({"file": "1"})
    config = SourceConfig(name="shop", url=str(repository.path))
    poll = await GitSource(config, repository.path / "file", clock=LoopClock(), random=Random(1)).poll()
    assert isinstance(poll.error, SourceError)
    assert "cache directory" in poll.error.what
