import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.specs.scalars import NotJson, dubious, dubious_key, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("yes", True), ("Off", False), ("y", "y"), ("n", "n"),
        ("0", 0), ("-12", -12), ("+5", 5), ("0777", 511), ("0o17", 15), ("0b101", 5), ("0xFF", 255), ("1_000", 1000),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-2", -0.015),
        ("12:30", "12:30"), ("2026-01-01", "2026-01-01"), ("09", "09"), ("1.2.3", "1.2.3"), ("-", "-"), (".", "."),
        ("1e400", "1e400"),
        ("18446744073709551615", 2**64 - 1), ("18446744073709551616", "18446744073709551616"), ("9" * 5000, "9" * 5000),
        ("0x", "0x"), ("٣", "٣"), ("123abc", "123abc"), ("12e4567", "12e4567"),
    ],
)  # fmt: skip
def test_resolve(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN"])
def test_what_json_cannot_hold(text: str) -> None:
    with pytest.raises(NotJson):
        resolve(text)


@pytest.mark.parametrize("text", ["no", "yes", "On", "0777", "12:30:00", "1_000", "+5", "0x10", "1.10", "1e3", "1."])
def test_dubious(text: str) -> None:
    assert dubious(text)


@pytest.mark.parametrize(
    "text", ["true", "false", "null", "", "8080", "-1", "0", "1.5", "1.2.3", "09", "text", "2026-01-01"]
)
def test_not_dubious(text: str) -> None:
    assert not dubious(text)


@pytest.mark.parametrize("text", ["no", "on", "True", "FALSE", "0777", "1.10", "1e3", ".inf", "12:30:00"])
def test_dubious_as_a_key(text: str) -> None:
    assert dubious_key(text)


@pytest.mark.parametrize("text", ["true", "false", "8080", "1.5", "one", "y.txt", "09"])
def test_not_dubious_as_a_key(text: str) -> None:
    assert not dubious_key(text)


@given(
    st.one_of(
        st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text("0123456789+-._eExob:", max_size=8)
    )
)
def test_numbers_are_those_of_yaml(number: object) -> None:
    text = str(number)
    try:
        value = resolve(text)
    except NotJson:
        return
    if isinstance(value, str | None) or dubious(text):
        return
    other = yaml.safe_load(text)
    # PyYAML wants a dot and a sign in a float with an exponent
    assert other == value or (isinstance(other, str) and math.isclose(float(other), float(value)))
