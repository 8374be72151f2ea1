"""What a plan filled in, as an annotation has it: anybody may write there."""

import pytest

from reconciler.model.filled import Preference, Record

RECORD = Record("h1", (Preference(60, {"pool": "x"}, ("a",)),), ("zone", "node"), {"cpu": "250m"}, 2, ("n1",))


def test_what_was_written_is_read() -> None:
    assert Record.of(RECORD.text()) == RECORD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        RECORD.text()[:-5],
        '{"for": "h1", "more": ' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"for": "h1", "spread": ["planet"]}',
        '{"for": "h1", "requests": {"cpu": "much"}}',
        '{"for": "h1", "requests": {"cpu": "-1"}}',
        '{"for": "h1", "requests": {"memory": "1e400"}}',
        '{"for": "h1", "replicas": -2}',
        '{"for": "h1", "prefer": [[101, {"pool": "x"}]]}',
    ],
)
def test_what_no_plan_writes_is_no_record(text: str) -> None:
    assert Record.of(text) is None
