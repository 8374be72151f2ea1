"""docs/cli.md against the parser."""

import argparse
import re

import pytest

from reconciler.cli import exits
from reconciler.cli.main import parser

(ACTION,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
VERBS = dict(ACTION.choices)


def options(verb):
    return {flag for action in VERBS[verb]._actions for flag in action.option_strings} - {"-h", "--help"}


@pytest.fixture
def sections(page):
    return {
        heading.split()[1]: (heading, body)
        for heading, body in page("docs/cli.md").sections().items()
        if heading.startswith("reconciler ")
    }


def test_every_verb_has_a_section_and_no_other(sections):
    assert sorted(sections) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_is_documented_and_no_other(page, sections, verb):
    cells = page("docs/cli.md").first_cells(sections[verb][1])
    assert {flag for cell in cells for flag in re.findall(r"^--?[a-z-]+", cell)} == options(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_arguments_are_those_of_the_heading(sections, verb):
    actions = [a for a in VERBS[verb]._actions if not a.option_strings]
    stated = "".join(f" [{a.metavar}]" if a.nargs == "?" else f" {a.metavar}" for a in actions)
    assert sections[verb][0] == f"reconciler {verb}{stated}"


def test_shared_flags_have_the_defaults_that_are_stated(page):
    text = page("docs/cli.md").sections()["Flags of many verbs"]
    defaults = dict(re.findall(r"^\| `(--[a-z-]+)[^`]*` \| `([^`]+)` \|", text, re.MULTILINE))
    plan = {flag: a.default for a in VERBS["plan"]._actions for flag in a.option_strings}
    assert {flag: plan[flag] for flag in ("--namespace", "--state-namespace")} == {
        flag: defaults[flag] for flag in ("--namespace", "--state-namespace")
    }


def test_every_exit_code_is_documented_and_no_other(page):
    stated = re.findall(r"^\| (\d+) \| ", page("docs/cli.md").text, re.MULTILINE)
    assert sorted(map(int, stated)) == sorted(code for name, code in vars(exits).items() if name.isupper())


@pytest.mark.parametrize("verb", VERBS)
def test_formats_of_output_are_all_named(sections, verb):
    for action in VERBS[verb]._actions:
        if action.choices:
            for choice in action.choices:
                assert f"`{choice}`" in sections[verb][1]
