"""References: what people write, made whole; and what nobody may slip in."""

import hashlib
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.errors import ImageRefused
from reconciler.images.reference import Reference, Repository, digest_of, is_digest, is_tag, matches

SHA = "sha256:" + "0123456789abcdef" * 4
LONG = "sha512:" + "ab" * 64


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("redis", "docker.io/library/redis"),
        ("redis:7.2", "docker.io/library/redis:7.2"),
        ("ada/shop", "docker.io/ada/shop"),
        ("index.docker.io/ada/shop:1", "docker.io/ada/shop:1"),
        ("docker.io/redis", "docker.io/library/redis"),
        ("localhost/shop", "localhost/shop"),
        ("localhost:5000/shop:1.4", "localhost:5000/shop:1.4"),
        ("registry.example.com/shop/web", "registry.example.com/shop/web"),
        ("Registry/shop", "Registry/shop"),
        ("registry.example.com:443/a/b/c:v1@" + SHA, "registry.example.com:443/a/b/c:v1@" + SHA),
        ("[::1]:5000/shop", "[::1]:5000/shop"),
        ("[2001:db8::1]/shop:1@" + SHA, "[2001:db8::1]/shop:1@" + SHA),
        ("127.0.0.1:5000/shop@" + LONG, "127.0.0.1:5000/shop@" + LONG),
        ("a__b/c-d/e--f.g", "docker.io/a__b/c-d/e--f.g"),
        ("r.io/x:" + "t" * 128, "r.io/x:" + "t" * 128),
    ],
)
def test_what_people_write(text: str, whole: str) -> None:
    assert str(Reference.parse(text)) == whole
    assert Reference.parse(whole) == Reference.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "/", ":", "@", "a:", "a@", "a/", "/a", "a//b", "a:b:c", ":5000", "r.io:/a", "r.io:0/a", "r.io:99999/a",
        "Redis", "r.io/Shop", "a___b", "a..b", "a.-b", "-a", "a-", "a b", "a\nb", "a\x00", "a%2fb", "../a", "a/../b",
        "r.io/../b", "r.io/.", "http://r.io/a", "user:pass@r.io/a", "r.io/a?x=1", "r.io/a#x", "--help", "-r.io/a",
        "r-.io/a", "r..io/a", "[::1/a", "[::g]/a", "[fe80::1%eth0]/a", "[1.2.3.4]/a", "::1/a", "[::1]:5000",
        "r.io/a:-x", "r.io/a:.x", "r.io/a:" + "t" * 129, "r.io/a:é", "a@sha256:" + "0" * 63, "a@sha256:" + "A" * 64,
        "a@md5:" + "0" * 32, "a@" + SHA + "@" + SHA, "a@" + SHA + ":1", "0123456789abcdef" * 4, "a" * 256, "a" * 5000,
        "r.io/" + "/".join("a" * 130), "r.io/٣", "r\u2024io/a", "redis:7\n", "redis\n",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ImageRefused) as caught:
        Reference.parse(text)
    assert "\n" not in str(caught.value)
    assert "\x00" not in str(caught.value)


def test_a_refusal_says_what_is_wrong() -> None:
    with pytest.raises(ImageRefused) as caught:
        Reference.parse("registry.example.com/Shop:1")
    assert "\n".join(caught.value.diagnostics()) == (
        "'registry.example.com/Shop:1' is not a reference to an image\n"
        "  because: 'Shop' is not the path of a repository\n"
        "  hint: names are lower case"
    )


def test_a_repository_has_neither_tag_nor_digest() -> None:
    assert Repository.parse("redis") == Repository("docker.io", "library/redis")
    for text in ("redis:7", "redis@" + SHA):
        with pytest.raises(ImageRefused):
            Repository.parse(text)


@pytest.mark.parametrize(
    ("text", "host", "loopback"),
    [
        ("localhost:5000/a", "localhost", True),
        ("127.0.0.1:5000/a", "127.0.0.1", True),
        ("127.8.8.8/a", "127.8.8.8", True),
        ("[::1]:5000/a", "::1", True),
        ("localhost.example.com/a", "localhost.example.com", False),
        ("127.0.0.1.example.com/a", "127.0.0.1.example.com", False),
        ("10.0.0.1/a", "10.0.0.1", False),
        ("redis", "docker.io", False),
    ],
)
def test_what_is_on_this_machine(text: str, host: str, loopback: bool) -> None:
    repository = Repository.parse(text)
    assert (repository.host, repository.loopback) == (host, loopback)


def test_the_name_that_a_registry_is_asked_for() -> None:
    assert Reference.parse("redis").name == "latest"
    assert Reference.parse("redis:7").name == "7"
    assert Reference.parse("redis:7").pinned(SHA).name == SHA


def test_digests() -> None:
    assert matches(digest_of(b"shop"), b"shop")
    assert not matches(digest_of(b"shop"), b"shop ")
    assert matches(f"sha512:{hashlib.sha512(b'x').hexdigest()}", b"x")


PART = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)
HOST = st.sampled_from(["", "r.io/", "r.io:5000/", "localhost/", "[::1]/", "[2001:db8::2]:8443/", "R/", "10.0.0.1:80/"])
TAG = st.just("") | st.from_regex(r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)


@given(HOST, st.lists(PART, min_size=1, max_size=3), TAG, st.sampled_from(["", "@" + SHA, "@" + LONG]))
def test_whatever_the_grammar_allows_survives(host: str, parts: list[str], tag: str, digest: str) -> None:
    assume(host or len(parts) == 1 or ("." not in parts[0] and parts[0] != "localhost"))  # that would be a registry
    parsed = Reference.parse(host + "/".join(parts) + tag + digest)
    assert Reference.parse(str(parsed)) == parsed
    assert ":" + parsed.tag == (tag or ":")
    assert "@" + parsed.digest == (digest or "@")


SAFE = re.compile(r"[A-Za-z0-9._\-/:@\[\]]+")


@given(st.text(alphabet="aZ09.-_/:@[]%?#& \n\x00é~\\", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    """What is accepted can go into a URL, a file's name and a command line."""
    try:
        parsed = Reference.parse(text)
    except ImageRefused:
        return
    whole = str(parsed)
    assert SAFE.fullmatch(whole)
    assert not whole.startswith("-")
    assert ".." not in whole
    assert "//" not in whole
    assert not parsed.tag or is_tag(parsed.tag)
    assert not parsed.digest or is_digest(parsed.digest)
