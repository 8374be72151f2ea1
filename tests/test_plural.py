"""Nouns beside their number."""

from reconciler.plural import counted, plural


def test_one_is_singular_and_none_and_many_are_plural() -> None:
    assert [counted(number, "object") for number in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]


def test_a_plural_of_its_own() -> None:
    assert [plural(number, "pass", "passes") for number in (1, 2)] == ["pass", "passes"]
