"""Ignore files of contexts, as container tools read them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ImageRefused
from reconciler.images.ignored import Ignored


@pytest.mark.parametrize(
    ("patterns", "left_out", "kept"),
    [
        ("node_modules", "node_modules node_modules/a/b", "src/node_modules/a node_modules2"),
        ("**/node_modules", "node_modules/x src/node_modules/x", "src/node_modules2"),
        ("*.md", "README.md", "docs/README.md README.md.txt"),
        ("**/*.md", "README.md docs/a/README.md", "README.txt"),
        ("*/temp*", "a/temp a/temporary/x", "temp a/b/temp"),
        ("*/*/temp*", "a/b/temp.txt", "a/temp"),
        ("temp?", "temp1 tempa", "temp temp12 temp/"),
        ("/docs/", "docs/x docs", "a/docs/x"),
        ("./docs", "docs/x", "a/docs"),
        ("docs\n!docs/keep.md", "docs/x docs", "docs/keep.md"),
        ("*.md\n!README*.md\nREADME-secret.md", "x.md README-secret.md", "README.md README-x.md"),
        ("a/**", "a/x a/b/c", "a ab"),
        ("a/**/z", "a/z a/b/z a/b/c/z", "a/b/y z"),
        ("**", "a a/b .x", ""),
        ("**/.git", ".git/x a/.git/y", "a/git"),
        ("[a-c]x", "ax bx", "dx -x"),
        ("[^a]x", "bx", "ax /x"),
        ("[a\\]]x", "ax ]x", "bx"),
        ("a\\*b", "a*b", "axb"),
        ("# comment\n\n  \n x ", "x", "comment"),
        ("a*b*c", "abc axxbxxc abbc", "ab abcd a/bc"),
        ("*.tar.gz*", "x.tar.gz x.tar.gz.asc", "x.tar"),
        ("foo**bar", "foobar foo/x/bar", "foo/x/baz"),
        (".", "", "a b/c"),
        ("a.b+(c)", "a.b+(c)", "aXb+(c)"),
        ("\ufeffx", "x", "y"),
    ],
)
def test_patterns(patterns: str, left_out: str, kept: str) -> None:
    ignored = Ignored(patterns.encode())
    assert [path for path in left_out.split() if not ignored(path)] == []
    assert [path for path in kept.split() if ignored(path)] == []


@pytest.mark.parametrize("line", ["../x", "a/../../x", "!", "[a", "x\\", "[z-a]", "**/**/**/x", "!/"])
def test_lines_that_are_no_patterns_are_refused_with_their_number(line: str) -> None:
    with pytest.raises(ImageRefused) as caught:
        Ignored(f"ok\n{line}\n".encode(), ".dockerignore")
    assert caught.value.where == ".dockerignore:2"


def test_a_file_that_is_too_large() -> None:
    with pytest.raises(ImageRefused, match="1,000 lines"):
        Ignored(b"x\n" * 1001)


@given(
    st.lists(st.sampled_from(["*", "**", "a", "?", "/", "[a-b]", "b", ".", "\\a", "!"]), min_size=1, max_size=14),
    st.sampled_from(["a" * 250, "a/" * 120 + "b", "ab" * 120, "/".join(["a" * 60] * 4)]),
)
def test_any_pattern_ends_soon(parts: list[str], path: str) -> None:
    try:
        ignored = Ignored("".join(parts).encode())
    except ImageRefused:
        return
    begun = time.process_time()
    ignored(path + "c")
    assert time.process_time() - begun < 0.5
