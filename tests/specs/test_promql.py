"""Of a query it is only said what is sure without a Prometheus: brackets and quotes that are not closed."""

import pytest

from reconciler.specs.promql import unbalanced


@pytest.mark.parametrize(
    "query",
    [
        "up",
        "",
        'sum(rate(http_requests_total{service="web", code=~"5.."}[2m])) / 2',
        """label_replace(up, "a", "$1", 'b', "(.*)") > bool 0""",
        """up{a="}", b='(', c=`[`, d="\\"(", e='\\'['}""",
        "up{a=`\\`}",
        'sum(up) # a comment (with a bracket and a quote"',
        "max_over_time(up[1h:5m] offset 5m) @ end()",
        "no promql at all !",
    ],
)
def test_what_is_balanced_passes(query: str) -> None:
    assert unbalanced(query) == ""


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(up", "it opens a ( that it does not close"),
        ("sum(up))", "it closes a ) that it has not opened, at its letter 8"),
        ("rate(up[2m)]", "it closes a ) that it has not opened, at its letter 11"),
        ('up{a="b}', 'it begins a string with " that does not end, at its letter 6'),
        ("up{a='b\\'}", "it begins a string with ' that does not end, at its letter 6"),
        ("up{a=`b}", "it begins a string with ` that does not end, at its letter 6"),
        ('sum(up # )"', "it opens a ( that it does not close"),
        ("sum(\n", "it opens a ( that it does not close"),
    ],
)
def test_what_is_not_is_said(query: str, said: str) -> None:
    assert unbalanced(query) == said
