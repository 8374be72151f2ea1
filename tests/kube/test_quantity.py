"""Quantities: the same amount, however it is spelled."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.quantity import canonical, equal, parse

AMOUNTS = {
    "0": 0,
    "250m": Fraction(1, 4),
    "1.5": Fraction(3, 2),
    ".5": Fraction(1, 2),
    "5.": 5,
    "-100m": Fraction(-1, 10),
    "+2": 2,
    "64Mi": 64 * 2**20,
    "1.5Gi": 1536 * 2**20,
    "2k": 2000,
    "2e3": 2000,
    "2E3": 2000,
    "12E": 12 * 10**18,
    "100n": Fraction(1, 10**7),
    "3u": Fraction(3, 10**6),
    "1e-3": Fraction(1, 1000),
    "0.5m": Fraction(1, 2000),
}


@pytest.mark.parametrize(("text", "value"), AMOUNTS.items())
def test_exact_values(text: str, value: Fraction) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("text", ["", "m", "1 Mi", "1mi", "1KB", "--1", "1.2.3", "e3", "0x10", "1Ki2", "٣"])
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse(text)


def test_numbers_are_quantities_and_booleans_are_not() -> None:
    assert parse(2) == 2
    assert parse(0.5) == Fraction(1, 2)
    with pytest.raises(ValueError, match="True"):
        parse(True)


CANONICAL = {
    "1000m": "1",
    "1500m": "1500m",
    "0.25": "250m",
    "1.5Gi": "1536Mi",
    "1024Mi": "1Gi",
    "1023Mi": "1023Mi",
    "0.5Ki": "512",
    "1000": "1k",
    "1e3": "1e3",
    "1000e3": "1e6",
    "1e19": "10e18",
    "1e-12": "1e-9",
    "0.1Ki": "102400m",
    "1.00001Mi": "1048586485760u",
    "1100.5Ki": "1126912",
    "12E": "12E",
    "0.5m": "500u",
    "0Mi": "0",
    "0.0": "0",
    "-2000m": "-2",
    "123456": "123456",
    "0.1n": "1n",
    "1.5k": "1500",
}


@pytest.mark.parametrize(("text", "spelling"), CANONICAL.items())
def test_canonical_spelling(text: str, spelling: str) -> None:
    assert canonical(text) == spelling


def test_equal_amounts() -> None:
    assert equal("1000m", 1)
    assert equal("1Gi", "1024Mi")
    assert not equal("1G", "1Gi")
    assert equal("not one", "not one")
    assert not equal("not one", "1")
    assert not equal(True, 1)


@given(
    number=st.integers(-(10**6), 10**6),
    places=st.integers(0, 3),
    suffix=st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e2", "E-1"]),
)
def test_canonical_means_the_same_and_stays_as_it_is(number: int, places: int, suffix: str) -> None:
    text = f"{'-' if number < 0 else ''}{abs(number) / 10**places:.{places}f}{suffix}"
    assert parse(canonical(text)) == parse(text)
    assert canonical(canonical(text)) == canonical(text)
