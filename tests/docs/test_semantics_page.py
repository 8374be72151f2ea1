"""Rules are named by their number: each that the sources name is on the page, and each on the page has a test."""

import re
from pathlib import Path

import reconciler

ROOT = Path(reconciler.__file__).parent


def numbers(folder: Path, pattern: str) -> set[str]:
    """What the groups of `pattern` find in the sources below a folder."""
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return {number for text in texts for found in re.finditer(pattern, text) for number in found.groups() if number}


def test_the_rules_that_sources_and_tests_name_are_those_of_the_page(page):
    rules = set(re.findall(r"^(\d+)\. ", page("docs/semantics.md").text, re.MULTILINE))
    assert numbers(ROOT, r"\brules? (\d+)(?:(?: and | to )(\d+))?") <= rules
    assert numbers(ROOT.parent / "tests", r"def test_rules?_(\d+)(?:_and_(\d+))?_") == rules
