"""Texts with placeholders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.template import Template, fault


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("$a and ${a}b", {"a": "x"}, "x and xb"),
        ("$$a costs $$5", {"a": "x"}, "$a costs $5"),
        ("by $a\n$b\nend", {"a": "", "b": "x"}, "x\nend"),
        ("$a$b", {"a": "", "b": "x"}, "x"),
        ("plain\n\n$a", {"a": ""}, "plain"),
        ("$a", {"a": "$b ${b} {b} %s"}, "$b ${b} {b} %s"),
    ],
)
def test_filling_in(text: str, values: dict[str, str], filled: str) -> None:
    assert Template(text).filled(values) == filled


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("$", "a $ begins no placeholder"),
        ("$A", "a $ begins no placeholder"),
        ("${a.b}", "a $ begins no placeholder"),
        ("${a!r}", "a $ begins no placeholder"),
        ("${a", "a $ begins no placeholder"),
        ("$b", "there is no placeholder $b"),
    ],
)
def test_faults(text: str, what: str) -> None:
    found = fault(text, {"a"})
    assert found is not None
    assert found[0] == what
    assert "placeholders here: $a" in found[1]


@given(st.text(alphabet="ab${}. \n_A", max_size=20))
def test_what_has_no_fault_can_be_filled_in(text: str) -> None:
    if fault(text, {"a", "b"}) is None:
        assert "$" not in Template(text).filled({"a": "x", "b": ""}).replace("$", "", text.count("$$"))
