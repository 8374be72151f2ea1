"""Rules are named by their number: each that is named is there."""

import re
from pathlib import Path

import reconciler

ROOT = Path(reconciler.__file__).parent
NAMED = re.compile(r"\brules? (\d+)(?:(?: and | to )(\d+))?")


def test_every_rule_that_the_sources_name_is_on_the_page(page):
    rules = set(re.findall(r"^(\d+)\. ", page("docs/semantics.md").text, re.MULTILINE))
    texts = [path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")]
    named = {number for text in texts for found in NAMED.findall(text) for number in found if number}
    assert len(named) > 10
    assert named <= rules
