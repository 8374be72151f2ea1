"""Addresses that mean the same repository."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.source.place import place_of

SAME = [
    "https://git.example.com/shop/specs.git",
    "https://git.example.com/shop/specs",
    "https://git.example.com/shop/specs/",
    "https://GIT.Example.Com/shop/specs.git",
    "https://git.example.com:443/shop/specs.git",
    "https://git.example.com./shop//specs.git",
    "http://git.example.com/shop/specs.git",
    "ssh://git@git.example.com/shop/specs.git",
    "ssh://git.example.com:2222/shop/specs",
    "git@git.example.com:shop/specs.git",
    "git@git.example.com:/shop/specs.git",
    "git.example.com:shop/specs",
    "git://git.example.com/shop/specs.git",
    "https://git.example.com/shop%2Fspecs",
    "https://git.example.com/Shop/Specs",
]
OTHER = [
    "https://git.example.com/shop/specs2",
    "https://git.example.com/shop",
    "https://example.com/shop/specs",
    "https://git.example.com/a/shop/specs",
    "/git.example.com/shop/specs",
]
NONE = ["", "shop/specs", "https://", "https:///shop/specs", "https://h", "https://h/../x", "https://[x/y", "a b"]
NONE += ["x" * 9999, "C:\n", "https://h/.git"]


@pytest.mark.parametrize("url", SAME)
def test_the_same(url: str) -> None:
    assert place_of(url) == "git.example.com/shop/specs"


@pytest.mark.parametrize("url", OTHER)
def test_another(url: str) -> None:
    assert place_of(url) not in ("", "git.example.com/shop/specs")


@pytest.mark.parametrize("url", NONE)
def test_no_address(url: str) -> None:
    assert place_of(url) == ""


def test_local_ones() -> None:
    assert place_of("/srv/git/shop.git") == place_of("file:///srv/git/shop") == "/srv/git/shop"
    assert place_of("git@[2001:db8::1]:shop/specs") == place_of("ssh://[2001:db8::1]/shop/specs")


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_not(text: str) -> None:
    assert isinstance(place_of(text), str)
