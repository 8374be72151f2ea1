"""Which tag is meant."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ImageRefused
from reconciler.images.follow import Selection
from reconciler.model.image import Follow, Order
from reconciler.tag_pattern import compiled

REDIS = ("6.2.14", "7.0.1", "7.2.4", "7.2.10", "7.2.10-alpine", "7.4.0-rc1", "7.2", "7", "latest", "8.0.0", "nightly")


@pytest.mark.parametrize(
    ("follow", "best"),
    [
        (Follow(semver=">=7.2 <8"), "7.2.10"),
        (Follow(semver="7.2.x"), "7.2.10"),
        (Follow(semver="*"), "8.0.0"),
        (Follow(semver="^9"), None),
        (Follow(semver=">=7.4.0-0 <8"), "7.4.0-rc1"),  # pre-releases where they are asked for
        (Follow(semver="~6.2"), "6.2.14"),
        (Follow(tag="7.2"), "7.2"),
        (Follow(tag="7.3"), None),
        (Follow(pattern=r"^7\.2\.(?P<n>\d+)$", order=Order.NUMERIC), "7.2.10"),
        (Follow(pattern=r"7\.2\.(\d+)"), "7.2.10"),
        (Follow(pattern=r"7\.2\.(\d+)", order=Order.ALPHABETICAL), "7.2.4"),
        (Follow(pattern=r"7\.2\.(\d+)-alpine"), "7.2.10-alpine"),
        (Follow(pattern=r"[a-z]+", order=Order.ALPHABETICAL), "nightly"),
        (Follow(pattern=r"[a-z]+"), None),  # no numbers
        (Follow(pattern=r"\d"), "7"),
        (Follow(pattern=r"7(?:\.(\d+))?"), "7.2"),
    ],
)
def test_the_tag_that_is_meant(follow: Follow, best: str | None) -> None:
    selection = Selection.of(follow)
    assert selection.best(REDIS) == best
    assert selection.best(tuple(reversed(REDIS))) == best
    assert best is None or selection.accepts(best)


def test_equals_are_decided_by_name() -> None:
    assert Selection.of(Follow(pattern=r"[a-z]-(\d+)")).best(["b-07", "a-7", "c-6"]) == "b-07"


@pytest.mark.parametrize(
    ("follow", "said"),
    [
        (Follow(), "exactly one"),
        (Follow(semver="1", tag="1"), "exactly one"),
        (Follow(semver="banana"), "'banana' cannot be followed: 'banana' is not a version"),
        (Follow(tag="a b"), "cannot be followed"),
        (Follow(tag="1", order=Order.NUMERIC), "only for a pattern"),
        (Follow(pattern="("), "not a regular expression"),
        (Follow(pattern="(a+)+"), "is not a part of a pattern"),
        (Follow(pattern="a" * 300), "longer than 256"),
    ],
)
def test_what_cannot_be_followed(follow: Follow, said: str) -> None:
    with pytest.raises(ImageRefused, match=said.replace("(", r"\(")):
        Selection.of(follow)


def test_what_is_followed_in_words() -> None:
    assert Selection.of(Follow(semver=">=7 <8")).why == "follows semver >=7 <8"
    assert Selection.of(Follow(pattern=r"(\d+)")).why == r"follows pattern (\d+), numeric"


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|a)*b", "(?=a)", r"(a)\1", "(?i)a", "a**", "(?<=a)b", "a|*", "[]a]", "(?P<n>a)(?P<n>b)", "[z-a]", "é",
     "a*a*a*a*b", "a+-?a+-?a+-?a+", "a*(?:-b)?a*(?:-b)?a*(?:-b)?a*", "x*(-|x)x*(-|x)x*(-)?x*",
         ".*.*.*.*x", r"\d+(?:a)?\d+(?:b)?\d+(?:c)?\d+(?:d)?", "(?#x)", "(?P=x)", "[[:alpha:]]", "a{4000}"],
)  # fmt: skip
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        compiled(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"^main-[a-f0-9]{7,40}-(?P<ts>\d+)$", r"v(\d+)\.(\d+)\.(\d+)\.(\d+)-alpine\d+",
     r"(?:release|stable)-(\d{8})(?:-fix)?", r"[\w.-]+-(\d+)", r".*", r"[A-Za-z0-9_.-]*?-\d+", r"\w+"],
)  # fmt: skip
def test_patterns_that_people_write(pattern: str) -> None:
    assert compiled(pattern)


PIECES = st.sampled_from(
    [r"\d+", "a*", r"[a-z]{2,}", ".", ".*", "-", r"\.", "(", ")", "(?:", ")?", "|", r"\w*", "x?", "^", "$"]
)


@given(st.lists(PIECES, max_size=12), st.sampled_from(["a" * 128, "1" * 128, "a1" * 64, "-" * 128, "a-1." * 32]))
def test_whatever_is_accepted_ends_soon(pieces: list[str], tag: str) -> None:
    try:
        found = compiled("".join(pieces))
    except ValueError:
        return
    start = time.process_time()
    found.fullmatch(tag + "!")
    assert time.process_time() - start < 0.5  # at worst some ms; what this is about would take hours
