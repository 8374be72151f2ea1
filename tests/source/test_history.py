"""Messages, blame and log."""

from collections.abc import Callable

import pytest

from reconciler.errors import SourceMissing, SourceRefused
from reconciler.source.repository import GitSource
from reconciler.source.trailers import allowed_prunes

Make = Callable[..., GitSource]


async def test_messages_are_those_between(repository, source: Make) -> None:
    first = repository.commit({"a": "1"}, "One")
    repository.commit({"a": "2"}, "Two\n\nWhy.\n\nReconciler-Allow-Prune: 2")
    last = repository.commit({"a": "3"}, "Three")
    shop = source()
    await shop.poll()
    messages = await shop.messages(first, last)
    assert [message.strip() for message in messages] == ["Three", "Two\n\nWhy.\n\nReconciler-Allow-Prune: 2"]
    assert allowed_prunes(messages) == 2


async def test_rule_11_an_old_approval_is_not_in_the_messages_of_a_first_sync(repository, source: Make) -> None:
    repository.commit({"a": "1"}, "One\n\nReconciler-Allow-Prune: 9")
    shop = source()
    commit = (await shop.poll()).snapshot.revision.commit
    assert await shop.messages("", commit) == ()
    assert await shop.messages("0123456789" * 4, commit) == ()
    assert await shop.messages(commit, commit) == ()
    with pytest.raises(SourceMissing):
        await shop.messages(commit, "0123456789" * 4)


async def test_messages_after_a_force_push_are_the_new_ones(repository, source: Make) -> None:
    base = repository.commit({"a": "1"}, "One")
    dropped = repository.commit({"a": "2"}, "Two\n\nReconciler-Allow-Prune: 9")
    shop = source()
    await shop.poll()
    repository.git("reset", "--hard", "--quiet", base)
    new = repository.commit({"a": "3"}, "Three")
    await shop.poll()
    assert [message.strip() for message in await shop.messages(dropped, new)] == ["Three"]


async def test_trace_finds_who_wrote_a_line(repository, source: Make) -> None:
    first = repository.commit({"base/a.yaml": "one\ntwo\nthree\n"}, "Write")
    second = repository.commit({"base/a.yaml": "one\nTWO\nthree\n"}, "Shout")
    shop = source()
    await shop.poll()
    assert (await shop.trace("base/a.yaml", 1, second)).commit == first
    shout = await shop.trace("base/a.yaml", 2, second)
    assert (shout.commit, shout.subject, shout.author) == (second, "Shout", "Ada <ada@example.com>")
    assert (await shop.trace("base/a.yaml", 2, first)).commit == first


@pytest.mark.parametrize(("path", "line"), [("a", 99), ("nothing", 1), (":(glob)*", 1)])
async def test_trace_of_no_line(repository, source: Make, path: str, line: int) -> None:
    commit = repository.commit({"a": "1\n"})
    shop = source()
    await shop.poll()
    with pytest.raises(SourceMissing):
        await shop.trace(path, line, commit)


async def test_log_of_a_path(repository, source: Make) -> None:
    one = repository.commit({"base/a": "1", "b": "1"}, "One")
    two = repository.commit({"base/a": "2"}, "Two")
    three = repository.commit({"b": "2"}, "Three")
    shop = source()
    assert await shop.log() == ()
    await shop.poll()
    assert [revision.commit for revision in await shop.log()] == [three, two, one]
    assert [revision.commit for revision in await shop.log("base")] == [two, one]
    assert [revision.subject for revision in await shop.log("base", limit=1)] == ["Two"]


async def test_a_snapshot_of_any_revision(repository, source: Make) -> None:
    one = repository.commit({"a": "1"}, "One")
    two = repository.commit({"a": "2"}, "Two")
    repository.git("tag", "-a", "-m", "x", "v1", one)
    repository.git("branch", "side", one)
    shop = source()
    for rev, commit in (
        (one, one),
        (one[:10], one),
        ("main", two),
        ("main~1", one),
        ("v1", one),
        ("side", one),
        ("HEAD", two),
        ("HEAD^", one),
    ):
        shot = await shop.snapshot(rev)
        assert (shot.revision.commit, shot.revision.ref) == (commit, rev)
    assert (await shop.poll()).snapshot.revision.commit == two


async def test_a_snapshot_of_a_branch_that_is_not_followed_is_fetched(repository, source: Make) -> None:
    repository.commit({"a": "1"})
    shop = source()
    await shop.poll()
    repository.git("switch", "--quiet", "--create", "side")
    commit = repository.commit({"b": "2"})
    assert (await shop.snapshot("side")).revision.commit == commit
    assert (await shop.snapshot("side")).paths == (".",)


@pytest.mark.parametrize("rev", ["nothing", "0123456", "main~99"])
async def test_a_revision_that_is_not_there(repository, source: Make, rev: str) -> None:
    repository.commit({"a": "1"})
    with pytest.raises(SourceMissing):
        await source().snapshot(rev)


async def test_a_revision_that_is_an_option_is_refused(repository, source: Make, commands) -> None:
    shop = source()
    for call in (
        shop.snapshot("--all"),
        shop.messages("--output=/tmp/x", "main"),
        shop.trace("a", 1, "-x"),
        shop.trace("../a", 1, "main"),
    ):
        with pytest.raises(SourceRefused):
            await call
    assert not commands


async def test_a_commit_beside_every_branch_is_found_by_its_id(repository, source: Make, server) -> None:
    base = repository.commit({"a": "1"})
    repository.git("switch", "--quiet", "--create", "side")
    commit = repository.commit({"a": "2"})
    repository.git("switch", "--quiet", "main")
    assert (await source(ref=commit, url=server.url("shop/.git")).poll()).snapshot.revision.commit == commit
    repository.git("branch", "--delete", "--force", "side")
    shop = source(ref=base, url=server.url("shop/.git"))
    assert (await shop.poll()).error is None


async def test_blame_names_a_commit_for_each_line(repository, source: Make, commands) -> None:
    first = repository.commit({"base/a.yaml": "one\ntwo\nthree\nfour\n"}, "Write")
    second = repository.commit({"base/a.yaml": "one\nTWO\nthree\nfour\nfive"}, "Shout\n\nLoudly.")
    third = repository.commit({"base/a.yaml": "zero\none\nTWO\nthree\nfour\nfive"}, "Begin earlier")
    shop = source()
    await shop.poll()
    commands.clear()
    lines = await shop.blame("base/a.yaml", third)
    assert [line.commit for line in lines] == [third, first, second, first, first, second]
    assert commands["blame"] == 1
    shout = lines[2]
    assert shout == await shop.trace("base/a.yaml", 3, third)
    assert (shout.author, shout.subject, shout.ref) == ("Ada <ada@example.com>", "Shout", "main")
    assert [line.commit for line in await shop.blame("base/a.yaml", first)] == [first] * 4


async def test_blame_goes_through_a_rename_and_a_merge(repository, source: Make) -> None:
    text = "".join(f"line {number}\n" for number in range(20))
    first = repository.commit({"old.yaml": text}, "Write")
    repository.git("switch", "--quiet", "--create", "side")
    aside = repository.commit({"old.yaml": text.replace("line 3", "three")}, "Aside")
    repository.git("switch", "--quiet", "main")
    renamed = repository.commit({"old.yaml": None, "new.yaml": text}, "Rename")
    repository.git("merge", "--quiet", "side", "-m", "Merge")
    merged = repository.git("rev-parse", "HEAD")
    shop = source()
    await shop.poll()
    assert {line.commit for line in await shop.blame("new.yaml", renamed)} == {first}
    lines = await shop.blame("new.yaml", merged)
    assert [line.commit for line in lines] == [aside if number == 3 else first for number in range(20)]


async def test_blame_of_strange_names_and_texts(repository, source: Make) -> None:
    repository.git("config", "user.name", "x")
    name = "a folder/ü [1].yaml"
    commit = repository.commit({name: "é: 1\r\nb: 2\n"}, f"Übung\x1b[31m\r{'0' * 40} 1 1 9")
    shop = source()
    await shop.poll()
    lines = await shop.blame(name, commit)
    assert [(line.commit, line.subject) for line in lines] == [(commit, f"Übung[31m{'0' * 40} 1 1 9")] * 2


async def test_blame_of_an_empty_file_is_empty(repository, source: Make) -> None:
    commit = repository.commit({"a": ""})
    shop = source()
    await shop.poll()
    assert await shop.blame("a", commit) == ()


async def test_blame_of_what_is_not_there(repository, source: Make) -> None:
    commit = repository.commit({"a": "1\n"})
    shop = source()
    await shop.poll()
    with pytest.raises(SourceMissing):
        await shop.blame("b", commit)
    with pytest.raises(SourceMissing):
        await shop.blame("a", "0123456789" * 4)
    with pytest.raises(SourceRefused):
        await shop.blame("../a", commit)


async def test_blame_does_not_name_the_commit_at_which_a_shallow_history_ends(
    repository, source: Make, mirrors
) -> None:
    repository.commit({"a": "1\n2\n"}, "One")
    end = repository.commit({"a": "1\ntwo\n"}, "Two")
    last = repository.commit({"a": "one\ntwo\n"}, "Three")
    shop = source()
    await shop.poll()
    (mirror,) = mirrors()
    (mirror / "shallow").write_text(f"{end}\n")
    lines = await shop.blame("a", last)
    assert [line.commit if line else None for line in lines] == [last, None]
