"""Versions in tag names and ranges over them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.semver import Range, parse_version


def version(text: str):
    found = parse_version(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc.1"),
        ("=1.2.3", "1.2.3", "1.2.4"),
        (">=1.2 <2", "1.2.0 1.9.9", "1.1.9 2.0.0 2.0.0-rc.1 1.5.0-rc.1"),
        (">=1.2, <2", "1.2.0 1.9.9", "2.0.0"),
        (">= 1.2.0 < 2.0.0", "1.2.0", "2.0.0"),
        (">1", "2.0.0", "1.0.0 1.9.9"),
        (">1.2", "1.3.0", "1.2.9"),
        (">1.2.3", "1.2.4", "1.2.3"),
        ("<=1.2", "1.2.9 0.0.1", "1.3.0"),
        ("<=1.2.3", "1.2.3", "1.2.4"),
        ("<1", "0.9.9", "1.0.0 1.0.0-alpha"),
        ("*", "0.0.0 9.9.9", "1.0.0-rc.1"),
        (">=*", "0.0.0 9.9.9", "1.0.0-rc.1"),
        ("<*", "", "0.0.0 1.0.0"),
        ("1", "1.0.0 1.9.9", "2.0.0 0.9.9"),
        ("1.x", "1.0.0 1.9.9", "2.0.0"),
        ("v1.2.X", "1.2.0 1.2.9", "1.3.0"),
        ("1.*.3", "1.0.0 1.9.0", "2.0.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("~1.2", "1.2.0", "1.3.0"),
        ("~1", "1.9.0", "2.0.0"),
        ("~>1.2.3", "1.2.9", "1.3.0"),
        ("^1.2.3", "1.2.3 1.9.0", "2.0.0 1.2.2 2.0.0-rc.1"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0.0", "0.0.9", "0.1.0"),
        ("^0", "0.9.0", "1.0.0"),
        ("1.2 - 2.3", "1.2.0 2.3.9", "2.4.0 1.1.9"),
        ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "2.3.5"),
        ("^1.4 || ~2.0", "1.4.0 2.0.9", "1.3.0 2.1.0"),
        (">=2.0.0-rc.1", "2.0.0-rc.1 2.0.0-rc.2 2.0.0 3.0.0", "2.0.0-beta 3.0.0-rc.1"),
        ("^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.9.0", "1.2.3-beta.1 1.2.4-beta.2"),
        (">=1.0.0-0 <2", "1.0.0-alpha 1.5.0-rc.1 1.9.9", "2.0.0-rc.1"),
        ("<2.0.0-0", "1.9.9", "1.9.9-rc.1 2.0.0-rc.1"),
    ],
)
def test_ranges(text: str, inside: str, outside: str) -> None:
    parsed = Range.parse(text)
    assert [one for one in inside.split() if version(one) not in parsed] == []
    assert [one for one in outside.split() if version(one) in parsed] == []


@pytest.mark.parametrize(
    "text",
    ["", " ", "||", "1 ||", "banana", "1.2.3.4", ">=", "> <", "1 -", "- 1", "01.2.3", "^", "1.2.3-", "!1", "1" * 300],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Range.parse(text)


@pytest.mark.parametrize("tag", ["v1", "1.2", "release-1.2.3", "1.2.3.4", "01.2.3", "v1.2.x", "", "1.2.3-", "١.٢.٣"])
def test_what_is_no_version_is_passed_over(tag: str) -> None:
    assert parse_version(tag) is None


def test_precedence_as_the_standard_orders_it() -> None:
    order = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
    ranks = [version(text).rank() for text in order.split()]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_the_highest_is_by_number_not_by_name() -> None:
    tags = ["v1.9.0", "v1.10.0", "nightly", "v2.0.0", "v1.11.0-rc.1"]
    assert Range.parse("^1").highest(tags) == "v1.10.0"
    assert Range.parse("^3").highest(tags) is None
    assert Range.parse("*").highest(["1.0.0", "v1.0.0"]) == "v1.0.0"


NUMBERS = st.tuples(*[st.integers(0, 3)] * 3)


@given(NUMBERS, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "="]))
def test_comparisons_agree_with_tuples(left, right, operator: str) -> None:
    expected = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "=": left == right}
    text = ".".join(map(str, right))
    assert (version(".".join(map(str, left))) in Range.parse(operator + text)) is expected[operator]


@given(st.text(alphabet="0123456789.^~<>=|x*- v", max_size=24))
def test_any_text_is_a_range_or_a_value_error(text: str) -> None:
    try:
        parsed = Range.parse(text)
    except ValueError:
        return
    assert isinstance(version("1.2.3") in parsed, bool)
