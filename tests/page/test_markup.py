"""Nothing that is shown can become markup."""

import pytest
from amount import examples
from html_page import Parsed
from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.page.markup import join, tag, text
from reconciler.diff.views.fields import visible

ANY = st.text(st.sampled_from("<>&\"'`=/ \n\tab;#x&lt;\u202e\u2028\x1b\xa0é漢🙂"))


def _by_lines(words: str) -> str:
    """Lines stay lines, unlike in a terminal."""
    return "\n".join(map(visible, words.split("\n")))


@examples(50)
@given(ANY, ANY)
def test_any_text_comes_out_as_itself(words: str, title: str) -> None:
    (element,) = Parsed.of(tag("p", words, title=title)).root.all()
    assert element.raw() == _by_lines(words)
    assert element.attributes == {"title": _by_lines(title)}


@examples(30)
@given(ANY)
def test_what_was_escaped_is_not_escaped_again(words: str) -> None:
    inner = tag("b", words)
    assert tag("p", inner, [inner, None]) == f"<p>{inner}{inner}</p>"
    assert join(inner, words) == inner + text(words)


def test_attributes() -> None:
    assert tag("input", type="text", required=True, value=None, class_="a", aria_label="b", hidden=False) == (
        '<input type="text" required class="a" aria-label="b">'
    )


def test_directions_and_control_characters_are_written_out() -> None:
    assert text("a\u202eb\x1b") == "a\\u202eb\\u001b"


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "data:,"],
)
def test_an_address_leads_to_this_page_or_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="no address of this page"):
        tag("a", "x", href=address)


@pytest.mark.parametrize("address", ["/objects", "?page=2", "#content", ""])
def test_own_addresses(address: str) -> None:
    assert tag("a", "x", href=address) == f'<a href="{address}">x</a>'
