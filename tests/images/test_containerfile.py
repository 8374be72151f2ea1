"""The images that a Containerfile begins from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ImageRefused
from reconciler.images.containerfile import bases

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


@given(st.text(alphabet="FROM RUNCOPYARG\n\\#$={}<-EOF:/ab", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = written(text)
    except ImageRefused:
        return
    assert all(name and "\n" not in name for name in found)
