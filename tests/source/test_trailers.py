"""What commits may approve (rule 11)."""

import pytest

from reconciler.source.trailers import allowed_prunes, trailers


def test_rule_11_a_trailer_approves_exactly_so_many() -> None:
    assert allowed_prunes(["Remove the old shop\n\nNobody uses it.\n\nReconciler-Allow-Prune: 12\n"]) == 12


def test_rule_11_commits_add_up() -> None:
    assert (
        allowed_prunes(["a\n\nReconciler-Allow-Prune: 3", "b", "c\n\nreconciler-allow-prune:2\nSigned-off-by: A"]) == 5
    )


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Reconciler-Allow-Prune: 3",
        "a\n\nReconciler-Allow-Prune: 3\n\nMore text.",
        "a\n\nReconciler-Allow-Prune: all",
        "a\n\nReconciler-Allow-Prune: -3",
        "a\n\nReconciler-Allow-Prune: 3 or 4",
        "a\n\nReconciler-Allow-Prune: 1234567",
        "a\n\nReconciler-Allow-Prune:",
        "a\n\n> Reconciler-Allow-Prune: 3",
        "a\n\nX-Reconciler-Allow-Prune: 3",
        "a\n\nReconciler-Allow-Prune: ٣",
    ],
)
def test_rule_11_anything_else_approves_nothing(message: str) -> None:
    assert allowed_prunes([message]) == 0


def test_trailers_in_their_order_with_continued_lines() -> None:
    message = (
        "Subject\r\n\r\nBody: not a trailer.\r\n\r\nFixes: #7\r\nNote: one\r\n  two\r\nSigned-off-by: Ada <a@e.com>\r\n"
    )
    assert trailers(message) == (("Fixes", "#7"), ("Note", "one two"), ("Signed-off-by", "Ada <a@e.com>"))
