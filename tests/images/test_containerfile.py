"""The images that a Containerfile begins from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ImageRefused
from reconciler.images.containerfile import bases, pinned
from reconciler.images.reference import Reference

SHA = "sha256:" + "0123456789abcdef" * 4


def written(text: str, **args: str) -> list[str]:
    return [base.written for base in bases(text.encode(), args, "Containerfile")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM scratch", []),
        ("FROM redis", ["redis"]),
        ("from redis:7 as base\nFROM base\nCOPY --from=base /a /b", ["redis:7"]),
        ("FROM a AS One\nFROM b as two\nFROM one", ["a", "b"]),
        (f"FROM r.io:5000/x@{SHA}", [f"r.io:5000/x@{SHA}"]),
        ("FROM --platform=$BUILDPLATFORM golang:1 AS b\nFROM scratch\nCOPY --from=b /a /a", ["golang:1"]),
        ("ARG V=3.18\nFROM alpine:$V", ["alpine:3.18"]),
        ("ARG V=3.18\nARG I=alpine:${V}\nFROM ${I}", ["alpine:3.18"]),
        ("ARG V\nFROM alpine:${V:-3.17}", ["alpine:3.17"]),
        ('ARG V="3.18" W=x\nFROM "alpine:$V-$W"', ["alpine:3.18-x"]),
        ("ARG V=1\nFROM alpine:1${V:+-slim}", ["alpine:1-slim"]),
        ("FROM a\nARG V=1\nRUN echo FROM b", ["a"]),
        ("FROM a\nCOPY --chown=1 --from=nginx:1 /x /y\nCOPY --from=0 /x /y", ["a", "nginx:1"]),
        ("FROM a\nRUN --mount=type=bind,from=tools,source=/x,target=/y make", ["a", "tools"]),
        ("FROM a\nRUN --mount=type=cache,target=/x make", ["a"]),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a`\nb\nRUN x", ["ab"]),
        ("# a comment\n\nFROM \\\n  # within\n\n  a \\\n  AS b\nFROM b", ["a"]),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c", ["a", "c"]),
        ("FROM a\nRUN <<-'END'\nFROM b\n\tEND\nCOPY <<X <<Y /z\nFROM d\nX\nFROM e\nY\nFROM f", ["a", "f"]),
        ("\ufeffFROM a\r\nFROM b\r\n", ["a", "b"]),
        ("FROM a\nFROM a", ["a"]),
        ("FROM\ta\nCOPY\t--from=b\t/\t/", ["a", "b"]),
        ("FROM a\n# x\u2028FROM b\n", ["a"]),
    ],
)
def test_bases(text: str, found: list[str]) -> None:
    assert written(text) == found


def test_arguments_of_the_build_come_before_defaults() -> None:
    assert written("ARG V=1\nFROM a:$V", V="2") == ["a:2"]
    assert written("ARG V\nFROM a:$V", V="2") == ["a:2"]
    assert written("FROM a:1", V="2") == ["a:1"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", "", "the file has no FROM"),
        ("RUN x", "", "the file has no FROM"),
        ("FROM", ":1", "cannot be read"),
        ("FROM a b c", ":1", "cannot be read"),
        ("\n\nFROM $V", ":3", "the variable V has no value"),
        ("FROM a\nFROM ../evil", ":2", "is not a reference"),
        ("FROM a:$TARGETARCH", ":1", "the variable TARGETARCH"),
        ("FROM a\nCOPY --from=$X /a /b", ":2", "holds a variable"),
        ("FROM a\nCOPY --from=7 /a /b\nCOPY --from=-x /a /b", ":3", "is not a reference"),
    ],
)
def test_what_cannot_be_told_is_refused_where_it_stands(text: str, line: str, said: str) -> None:
    with pytest.raises(ImageRefused) as caught:
        written(text)
    assert caught.value.where == f"Containerfile{line}"
    assert said in caught.value.what


PINS = {
    "a:1": Reference.parse(f"r.io/a:1@{SHA}"),
    "b": Reference.parse(f"b@{SHA}"),
}
A, B = f"r.io/a@{SHA}", f"docker.io/library/b@{SHA}"


@pytest.mark.parametrize(
    ("text", "pinned_text"),
    [
        ("FROM a:1\n", f"FROM {A}\n"),
        ("ARG V=1\nFROM --platform=x a:$V AS a\nFROM a\n", f"ARG V=1\nFROM --platform=x {A} AS a\nFROM a\n"),
        ("from\ta:1\r\nRUN echo a:1\r\n", f"from\t{A}\r\nRUN echo a:1\r\n"),
        (
            "FROM \\\n # why\n  a:1 \\\n  AS x\nCOPY --from=b b b\n",
            f"FROM \\\n # why\n  {A} \\\n  AS x\nCOPY --from={B} b b\n",
        ),
        ('ARG I=b\nFROM "${I}"', f"ARG I=b\nFROM {B}"),
        (
            "FROM b\nRUN --mount=type=bind,from=a:1,target=/x --mount=from=b,target=/y make from=b",
            f"FROM {B}\nRUN --mount=type=bind,from={A},target=/x --mount=from={B},target=/y make from=b",
        ),
        ("FROM b\nRUN <<X\nFROM b\nX\nFROM b", f"FROM {B}\nRUN <<X\nFROM b\nX\nFROM {B}"),
        ("FROM scratch\nCOPY \xff /\n", "FROM scratch\nCOPY \xff /\n"),
    ],
)
def test_bases_are_replaced_where_they_stand(text: str, pinned_text: str) -> None:
    assert pinned(text.encode("latin-1"), {}, PINS, "Containerfile") == pinned_text.encode("latin-1")


def test_a_base_in_two_pieces_is_refused() -> None:
    with pytest.raises(ImageRefused, match="cannot be pinned here") as caught:
        pinned(b"FROM a\\\n:1\n", {}, PINS, "Containerfile")
    assert caught.value.where == "Containerfile:1"


@given(st.text(alphabet="FROM RUNCOPYARG\n\\#$={}<-EOF:/ab", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = written(text)
    except ImageRefused:
        return
    assert all(name and "\n" not in name for name in found)
