"""Layers, limits and what is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SourceRefused, SourceTooLarge
from reconciler.model.config import GitLimits
from reconciler.model.snapshot import Revision, SkipReason, Snapshot
from reconciler.source.history import _time
from reconciler.source.tree import Name, build

REVISION = Revision("0" * 40, "main", "Ada <ada@example.com>", _time("0"), "Change")


def snapshot(files, paths=(".",), limits=GitLimits()) -> Snapshot:  # noqa: B008 - it is frozen
    """Of files given as a list of paths, or as a mapping from paths to contents."""
    contents = files if isinstance(files, dict) else dict.fromkeys(files, "x")
    names = [Name("100644", path, len(text), path.encode()) for path, text in contents.items()]
    return build("shop", REVISION, paths, names, limits, lambda ids: {one: contents[one].encode() for one in ids})


def layers(shot: Snapshot) -> dict[str, int]:
    return {entry.path: entry.layer for entry in shot.entries}


def test_files_are_in_the_layer_of_their_path_and_outside_in_none() -> None:
    shot = snapshot(["env/prod/web.yaml", "base/web.yaml", "base/a/b.yaml", "README.md"], ("base", "env/prod"))
    assert list(layers(shot).items()) == [
        ("base/a/b.yaml", 0),
        ("base/web.yaml", 0),
        ("env/prod/web.yaml", 1),
        ("README.md", -1),
    ]


def test_of_overlapping_paths_the_most_specific_wins_in_either_order() -> None:
    files = ["a.yaml", "env/prod/a.yaml", "env/test/a.yaml"]
    assert layers(snapshot(files, (".", "env/prod"))) == {"a.yaml": 0, "env/test/a.yaml": 0, "env/prod/a.yaml": 1}
    assert layers(snapshot(files, ("env/prod", "."))) == {"env/prod/a.yaml": 0, "a.yaml": 1, "env/test/a.yaml": 1}


def test_of_equal_paths_the_later_wins() -> None:
    shot = snapshot(["base/a.yaml"], ("base", "base"))
    assert layers(shot) == {"base/a.yaml": 1}
    assert shot.missing == ()


def test_a_path_may_be_a_file_and_names_with_its_beginning_are_others() -> None:
    shot = snapshot(["web.yaml", "web.yaml.old", "base/x", "base-2/x"], ("web.yaml", "base"))
    assert layers(shot) == {"web.yaml": 0, "base/x": 1, "base-2/x": -1, "web.yaml.old": -1}


def test_missing_paths_are_named() -> None:
    assert snapshot(["base/a.yaml"], ("base", "env/prod", "bas")).missing == ("env/prod", "bas")
    assert snapshot([], (".",)).missing == (".",)


def test_a_path_of_links_only_is_not_missing() -> None:
    names = [Name("120000", "1", 3, b"env/link")]
    shot = build("shop", REVISION, ("env",), names, GitLimits(), lambda _ids: {})
    assert shot.missing == ()
    assert [one.reason for one in shot.skipped] == [SkipReason.SYMLINK]


@pytest.mark.parametrize(
    ("name", "reason", "shown"),
    [
        (b"caf\xe9.yaml", SkipReason.NOT_UTF8, "caf\\xe9.yaml"),
        (b"\xf0\x9f\x9a\x80\xff", SkipReason.NOT_UTF8, "🚀\\xff"),
        (b"a\nb.yaml", SkipReason.UNSAFE_NAME, "a\\nb.yaml"),
        (b"\x1b[31mred", SkipReason.UNSAFE_NAME, "\\x1b[31mred"),
        (b"a/../b.yaml", SkipReason.UNSAFE_NAME, "a/../b.yaml"),
        (b"./a", SkipReason.UNSAFE_NAME, "./a"),
        (b"a" * 256, SkipReason.UNSAFE_NAME, "a" * 256),
        (b"d/" * 5000 + b"x", SkipReason.UNSAFE_NAME, "d/" * 512 + "…"),
    ],
)
def test_names_that_cannot_be_used_are_named_safely(name: bytes, reason: SkipReason, shown: str) -> None:
    shot = build("shop", REVISION, (".",), [Name("100644", "1", 1, name)], GitLimits(), lambda _ids: {})
    assert shot.entries == ()
    assert [(one.path, one.reason) for one in shot.skipped] == [(shown, reason)]


def test_names_in_other_scripts_are_fine() -> None:
    assert layers(snapshot(["Größe/日本.yaml"])) == {"Größe/日本.yaml": 0}


def test_a_large_file_is_skipped_with_its_size() -> None:
    shot = snapshot({"big.yaml": "x" * 2001, "small.yaml": "x"}, limits=GitLimits(blob_bytes=2000))
    assert layers(shot) == {"small.yaml": 0}
    (left_out,) = shot.skipped
    assert (left_out.path, left_out.reason, left_out.detail) == (
        "big.yaml", SkipReason.TOO_LARGE, "2,001 bytes, more than 2,000"
    )  # fmt: skip


def test_limits_on_the_whole() -> None:
    files = {f"base/{n}": "x" * 10 for n in range(10)} | {"out": "x" * 1000}
    assert snapshot(files, ("base",), GitLimits(files=11, total_bytes=100)).entries
    with pytest.raises(SourceTooLarge, match="more than 10 files"):
        snapshot(files, ("base",), GitLimits(files=10))
    with pytest.raises(SourceTooLarge, match="100 bytes, more than 99"):
        snapshot(files, ("base",), GitLimits(total_bytes=99))


def test_ignored_files_are_named_and_stay_for_mounts() -> None:
    files = {".reconcilerignore": "docs/\n*.md\n", "docs/a.yaml": "a", "web.yaml": "w", "web.md": "m"}
    shot = snapshot(files)
    assert layers(shot) == {".reconcilerignore": 0, "web.yaml": 0, "docs/a.yaml": -1, "web.md": -1}
    assert [(one.path, one.reason, one.detail) for one in shot.skipped] == [
        ("docs/a.yaml", SkipReason.IGNORED, ".reconcilerignore"),
        ("web.md", SkipReason.IGNORED, ".reconcilerignore"),
    ]


def test_ignored_files_cost_nothing() -> None:
    files = {".reconcilerignore": "big\n", "big": "x" * 1000}
    assert snapshot(files, limits=GitLimits(total_bytes=100)).entries


def test_an_ignore_file_that_is_too_large_is_refused_not_passed_over() -> None:
    with pytest.raises(SourceTooLarge, match="bytes"):
        snapshot({"docs/.reconcilerignore": "x\n" * 40_000})
    with pytest.raises(SourceTooLarge, match="bytes"):
        snapshot({"docs/.reconcilerignore": "x\n" * 40_000}, limits=GitLimits(blob_bytes=10))


def test_a_bad_pattern_is_refused_at_its_line() -> None:
    with pytest.raises(SourceRefused) as refused:
        snapshot({"docs/.reconcilerignore": "ok\n!\n"})
    assert refused.value.where == "docs/.reconcilerignore:2"


NAMES = st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join), max_size=8, unique=True)


@given(NAMES, st.lists(st.sampled_from([".", "a", "b", "a/b", "b/a/b"]), min_size=1, max_size=4))
def test_every_file_is_one_entry_in_the_layer_the_rule_says(files: list[str], paths: list[str]) -> None:
    shot = snapshot(files, tuple(paths))
    assert sorted(layers(shot)) == sorted(files)
    for path, layer in layers(shot).items():
        holding = [n for n, p in enumerate(paths) if p == "." or path == p or path.startswith(p + "/")]
        assert layer == max(holding, key=lambda n: (len(paths[n].strip(".")), n), default=-1)
    assert list(shot.missing) == [
        p for p in paths if not any(p == "." or path == p or path.startswith(p + "/") for path in files)
    ]
    order = [(entry.layer == -1, entry.layer, entry.path) for entry in shot.entries]
    assert order == sorted(order)
