"""What a poll answers while all is well."""

from collections.abc import Callable

from reconciler.clock import LoopClock, run_virtual
from reconciler.model.snapshot import Entry, SkipReason
from reconciler.source.repository import GitSource

Make = Callable[..., GitSource]


async def test_the_first_poll_brings_the_files(repository, source: Make) -> None:
    commit = repository.commit({"base/web.yaml": "web", "README.md": "read me"}, "First words\n\nMore.")
    shop = source(paths=("base",))

    poll = await shop.poll()

    assert poll.error is None
    assert poll.changed
    assert poll.snapshot is not None
    assert poll.snapshot.revision.commit == commit
    assert poll.snapshot.revision.ref == "main"
    assert poll.snapshot.revision.author == "Ada <ada@example.com>"
    assert poll.snapshot.revision.subject == "First words"
    assert poll.snapshot.revision.time.isoformat() == "2026-01-01T00:00:01+00:00"
    web, readme = poll.snapshot.entries
    assert (web.path, web.size, web.layer) == ("base/web.yaml", 3, 0)
    assert (readme.path, readme.layer) == ("README.md", -1)
    assert await shop.read([web.blob, readme.blob]) == {web.blob: b"web", readme.blob: b"read me"}


async def test_an_unchanged_poll_is_one_ls_remote(repository, source: Make, commands) -> None:
    repository.many(5000)
    shop = source()
    first = await shop.poll()
    commands.clear()

    second = await shop.poll()

    assert commands == {"ls-remote": 1}
    assert not second.changed
    assert second.snapshot is first.snapshot


async def test_a_change_in_5000_files_costs_a_handful_of_processes(repository, source: Make, commands) -> None:
    repository.many(5000)
    shop = source()
    before = (await shop.poll()).snapshot
    repository.commit({"apps/team0/c0.yaml": "changed"})
    commands.clear()

    after = (await shop.poll()).snapshot

    assert commands.total() <= 8
    assert commands["fetch"] == 1
    assert len(after.entries) == 5000
    assert len(set(after.entries) - set(before.entries)) == 1


async def test_all_blobs_come_from_one_process(repository, source: Make, commands) -> None:
    repository.many(5000)
    shop = source()
    snapshot = (await shop.poll()).snapshot
    commands.clear()

    contents = await shop.read([entry.blob for entry in snapshot.entries])

    assert commands == {"cat-file": 1}
    assert len(contents) == 5000
    assert all(len(contents[entry.blob]) == entry.size for entry in snapshot.entries)


async def test_reading_nothing_runs_nothing(repository, source: Make, commands) -> None:
    assert await source().read([]) == {}
    assert not commands


async def test_blobs_come_back_byte_for_byte(repository, source: Make) -> None:
    odd = {"empty.bin": b"", "nul.bin": b"a\0b\n\n", "crlf.txt": b"a\r\nb\r\n", "blob 5.txt": b"x blob 5\n\xff\xfe"}
    repository.commit(odd)
    shop = source()
    entries = (await shop.poll()).snapshot.entries
    contents = await shop.read([entry.blob for entry in entries])
    assert {entry.path: contents[entry.blob] for entry in entries} == odd


async def test_a_later_commit_moves_the_snapshot(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    shop = source()
    await shop.poll()
    commit = repository.commit({"a.yaml": "2"})
    poll = await shop.poll()
    assert poll.changed
    assert poll.snapshot.revision.commit == commit
    assert poll.notice == ""


async def test_a_tag_and_an_annotated_tag_lead_to_their_commit(repository, source: Make) -> None:
    commit = repository.commit({"a.yaml": "1"})
    repository.git("tag", "light")
    repository.git("tag", "-a", "-m", "Release", "v1.0.0")
    repository.commit({"a.yaml": "2"})
    for ref in ("light", "v1.0.0", "refs/tags/v1.0.0"):
        shop = source(ref=ref)
        assert (await shop.poll()).snapshot.revision.commit == commit
        assert not (await shop.poll()).changed


async def test_a_branch_goes_before_a_tag_of_the_same_name(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})
    repository.git("tag", "main")
    commit = repository.commit({"a.yaml": "2"})
    assert (await source().poll()).snapshot.revision.commit == commit


async def test_head_is_the_default_branch(repository, source: Make) -> None:
    commit = repository.commit({"a.yaml": "1"})
    assert (await source(ref="HEAD").poll()).snapshot.revision.commit == commit


async def test_a_pinned_commit_needs_the_server_only_once(repository, source: Make, commands) -> None:
    commit = repository.commit({"a.yaml": "1"})
    repository.commit({"a.yaml": "2"})
    shop = source(ref=commit)
    assert (await shop.poll()).snapshot.revision.commit == commit
    commands.clear()
    assert not (await shop.poll()).changed
    assert not commands


async def test_a_range_follows_the_highest_version(repository, source: Make) -> None:
    for version in ("v1.2.0", "v1.10.0", "v2.0.0", "v1.11.0-rc.1", "v1", "nightly"):
        repository.commit({"version": version})
        repository.git("tag", "-a", "-m", version, version)
    shop = source(ref="semver:^1.2")
    first = await shop.poll()
    assert await shop.read([first.snapshot.entries[0].blob]) == {first.snapshot.entries[0].blob: b"v1.10.0"}

    commit = repository.commit({"version": "v1.12.0"})
    repository.git("tag", "v1.12.0")
    second = await shop.poll()
    assert second.snapshot.revision.commit == commit
    assert second.notice == "v1.12.0 is now the highest version in the range"


async def test_links_and_submodules_are_skipped_and_named(repository, new_repository, source: Make) -> None:
    other = new_repository("other")
    other.commit({"x": "x"})
    (repository.path / "link.yaml").symlink_to("/etc/passwd")
    (repository.path / "up").symlink_to("../..")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "sub")
    repository.commit({"a.yaml": "1"})

    snapshot = (await source().poll()).snapshot

    assert [entry.path for entry in snapshot.entries] == [".gitmodules", "a.yaml"]
    assert [(one.path, one.reason) for one in snapshot.skipped] == [
        ("link.yaml", SkipReason.SYMLINK),
        ("sub", SkipReason.SUBMODULE),
        ("up", SkipReason.SYMLINK),
    ]


async def test_the_executable_bit_is_kept(repository, source: Make) -> None:
    repository.write({"run.sh": "#!/bin/sh"})
    (repository.path / "run.sh").chmod(0o755)
    repository.commit({})
    (entry,) = (await source().poll()).snapshot.entries
    assert entry == Entry("run.sh", entry.blob, 9, 0, True)


async def test_a_restart_begins_with_the_last_good_snapshot(repository, source: Make, commands) -> None:
    repository.commit({"a.yaml": "1"})
    before = (await source().poll()).snapshot
    commands.clear()

    poll = await source().poll()

    assert poll.changed, "a new process has not handled it yet"
    assert poll.snapshot == before
    assert commands["fetch"] == 0


async def test_two_sources_never_share_a_mirror(repository, source: Make, mirrors) -> None:
    repository.commit({"a.yaml": "1"})
    for name in ("shop", "Shop", "sh/op"):
        assert (await source(name=name).poll()).error is None
    assert len(mirrors()) == 3


async def test_no_configuration_of_the_caller_reaches_git(repository, source: Make, monkeypatch, tmp_path) -> None:
    """As in a hook of another repository, or on a machine with a rewriting ~/.gitconfig."""
    repository.commit({"a.yaml": "1"})
    config = tmp_path / "gitconfig"
    config.write_text('[url "/nowhere/"]\n\tinsteadOf = /\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=maybe'")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    assert (await source().poll()).error is None
    assert not (tmp_path / "trace").exists()


def test_it_works_in_virtual_time(repository, source: Make) -> None:
    repository.commit({"a.yaml": "1"})

    async def an_hour() -> list[bool]:
        clock = LoopClock()
        shop = source()
        polls = []
        while clock.monotonic() < 3600:
            polls.append(await shop.poll())
            await clock.sleep(polls[-1].delay * 10)
        return [poll.changed for poll in polls]

    first, *later = run_virtual(an_hour())
    assert first
    assert later
    assert not any(later)
