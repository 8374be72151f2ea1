"""A plain folder and a work tree with uncommitted changes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SourceError, SourceMissing, SourceRefused, SourceTooLarge
from reconciler.model.config import GitLimits
from reconciler.model.snapshot import SkipReason, Snapshot
from reconciler.source.directory import DirectorySource, blob_id
from reconciler.source.repository import GitSource


def paths(shot: Snapshot) -> list[str]:
    return [entry.path for entry in shot.entries]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "plain"
    for name, text in {"base/web.yaml": "web", "env/prod/web.yaml": "prod", "README.md": "hello"}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


async def test_a_plain_folder(folder: Path) -> None:
    shop = DirectorySource(folder, ("base", "env/prod", "env/test"), "shop")
    shot = await shop.snapshot()
    assert [(entry.path, entry.layer) for entry in shot.entries] == [
        ("base/web.yaml", 0),
        ("env/prod/web.yaml", 1),
        ("README.md", -1),
    ]
    assert shot.source == "shop"
    assert shot.missing == ("env/test",)
    assert shot.revision.commit == ""
    assert await shop.read([entry.blob for entry in shot.entries]) == {
        blob_id(b"web"): b"web",
        blob_id(b"prod"): b"prod",
        blob_id(b"hello"): b"hello",
    }


async def test_blob_ids_are_gits(repository, source: Callable[..., GitSource]) -> None:
    repository.commit({"a.yaml": "x\n", "empty": "", "bin": b"\0\xff"})
    committed = (await source().poll()).snapshot
    assert (await DirectorySource(repository.path).snapshot()).entries == committed.entries


async def test_a_work_tree_is_what_git_tracks_or_would_add_with_its_changes(repository) -> None:
    repository.commit({"a.yaml": "1", "gone.yaml": "1", ".gitignore": "cache/\n", "sub/b.yaml": "1"})
    repository.write({"a.yaml": "changed", "new.yaml": "1", "gone.yaml": None, "cache/huge": "x"})
    tree = DirectorySource(repository.path)
    shot = await tree.snapshot()
    assert paths(shot) == [".gitignore", "a.yaml", "new.yaml", "sub/b.yaml"]
    assert shot.entries[1].blob == blob_id(b"changed")
    assert paths(await DirectorySource(repository.path / "sub").snapshot()) == ["b.yaml"]
    assert paths(await DirectorySource(repository.path / "cache").snapshot()) == ["huge"], "asked for by name"


async def test_one_file_is_a_folder_that_follows_one_path(folder: Path) -> None:
    shot = await DirectorySource(folder / "base" / "web.yaml").snapshot()
    assert [(entry.path, entry.layer) for entry in shot.entries] == [("web.yaml", 0)]


async def test_links_are_never_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.yaml").write_text("s")
    (folder / "file.yaml").symlink_to(tmp_path / "secret")
    (folder / "dir").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    shot = await DirectorySource(folder).snapshot()
    assert paths(shot) == ["README.md", "base/web.yaml", "env/prod/web.yaml"]
    assert [(one.path, one.reason) for one in shot.skipped] == [
        ("dir", SkipReason.SYMLINK),
        ("file.yaml", SkipReason.SYMLINK),
        ("loop", SkipReason.SYMLINK),
    ]


async def test_a_tracked_folder_that_became_a_link_is_not_followed(repository, tmp_path: Path) -> None:
    repository.commit({"dir/x.yaml": "1", "dir/y.yaml": "1", "a.yaml": "1"})
    (tmp_path / "elsewhere").mkdir()
    for name in ("x.yaml", "y.yaml"):
        (tmp_path / "elsewhere" / name).write_text("secret")
        (repository.path / "dir" / name).unlink()
    (repository.path / "dir").rmdir()
    (repository.path / "dir").symlink_to(tmp_path / "elsewhere")
    shot = await DirectorySource(repository.path).snapshot()
    assert paths(shot) == ["a.yaml"]
    assert [(one.path, one.reason) for one in shot.skipped] == [("dir", SkipReason.SYMLINK)]


async def test_other_repositories_inside_are_submodules(folder: Path, new_repository) -> None:
    inner = new_repository("plain/inner")
    inner.commit({"x.yaml": "1"})
    shot = await DirectorySource(folder).snapshot()
    assert [(one.path, one.reason) for one in shot.skipped] == [("inner", SkipReason.SUBMODULE)]


@pytest.fixture
def odd_folder(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.yaml")
    (folder / os.fsdecode(b"caf\xe9.yaml")).write_text("x")
    return folder


async def test_pipes_and_names_that_are_not_utf8_do_not_stop_it(odd_folder: Path) -> None:
    shot = await DirectorySource(odd_folder).snapshot()
    assert [(one.path, one.reason) for one in shot.skipped] == [("caf\\xe9.yaml", SkipReason.NOT_UTF8)]
    assert "pipe.yaml" not in paths(shot)


async def test_the_same_ignore_rules_and_limits(folder: Path) -> None:
    (folder / ".reconcilerignore").write_text("/env/\n")
    shot = await DirectorySource(folder, limits=GitLimits(blob_bytes=6)).snapshot()
    assert [(one.path, one.reason) for one in shot.skipped] == [("env/prod/web.yaml", SkipReason.IGNORED)]
    (folder / "big").write_text("1234567")
    shot = await DirectorySource(folder, limits=GitLimits(blob_bytes=6)).snapshot()
    assert ("big", SkipReason.TOO_LARGE) in [(one.path, one.reason) for one in shot.skipped]
    with pytest.raises(SourceTooLarge):
        await DirectorySource(folder, limits=GitLimits(files=2)).snapshot()


async def test_a_file_that_changes_meanwhile_is_an_error(folder: Path) -> None:
    shop = DirectorySource(folder)
    (entry, *_) = (await shop.snapshot()).entries
    (folder / entry.path).write_text("other")
    with pytest.raises(SourceError, match="changed while"):
        await shop.read([entry.blob])
    with pytest.raises(SourceError):
        await shop.read(["0" * 40])


async def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        await DirectorySource(tmp_path / "nothing").snapshot()


def test_paths_outside_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused):
        DirectorySource(tmp_path, ("../x",))


async def test_the_configuration_of_a_folder_runs_nothing(repository, tmp_path: Path) -> None:
    """A folder that was unpacked from somewhere may bring a .git with a command to run in it."""
    repository.commit({"a.yaml": "1"})
    for key in ("core.fsmonitor", "core.editor", "core.pager", "alias.ls-files", "diff.external"):
        repository.git("config", key, f"touch {tmp_path}/owned; false")
    await DirectorySource(repository.path).snapshot()
    assert not (tmp_path / "owned").exists()
