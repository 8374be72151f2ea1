"""`.reconcilerignore` reads as Git reads `.gitignore`: Git itself is the judge."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import SourceRefused, SourceTooLarge
from reconciler.source.ignore import IgnoreRules

FILES = ("a.yaml", "a.md", "build/a.yaml", "build/keep.yaml", "x/build/a.yaml", "x/a.md", "x/y/a.yaml", "x/y/.hidden")


def ignored(rules: dict[str, str]) -> set[str]:
    parsed = IgnoreRules({path: text.encode() for path, text in rules.items()})
    return {path for path in FILES if parsed.ignored_by(path)}


@pytest.mark.parametrize(
    ("rules", "left_out"),
    [
        ({}, set()),
        ({".reconcilerignore": "# nothing\n\n"}, set()),
        ({".reconcilerignore": "*.md"}, {"a.md", "x/a.md"}),
        ({".reconcilerignore": "/a.*"}, {"a.yaml", "a.md"}),
        ({".reconcilerignore": "build/"}, {"build/a.yaml", "build/keep.yaml", "x/build/a.yaml"}),
        ({".reconcilerignore": "/build/*\n!/build/keep.yaml"}, {"build/a.yaml"}),
        ({".reconcilerignore": "/build/\n!/build/keep.yaml"}, {"build/a.yaml", "build/keep.yaml"}),
        ({".reconcilerignore": "x/**\n!x/a.md"}, {"x/build/a.yaml", "x/y/a.yaml", "x/y/.hidden"}),
        ({".reconcilerignore": "*.md", "x/.reconcilerignore": "!a.md"}, {"a.md"}),
        ({".reconcilerignore": "x/", "x/.reconcilerignore": "!a.md"}, {f for f in FILES if f.startswith("x/")}),
        ({"x/.reconcilerignore": "/a.*\ny"}, {"x/a.md", "x/y/a.yaml", "x/y/.hidden"}),
        ({".reconcilerignore": "\ufeff*.md\r\n"}, {"a.md", "x/a.md"}),
    ],
)
def test_rules(rules: dict[str, str], left_out: set[str]) -> None:
    assert ignored(rules) == left_out


def test_the_deciding_file_is_named() -> None:
    rules = IgnoreRules({".reconcilerignore": b"*.txt", "x/.reconcilerignore": b"*.md"})
    assert rules.ignored_by("x/a.md") == "x/.reconcilerignore"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for path in FILES:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


PATTERNS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "!"]),
        st.sampled_from(["", "/", "**/", "x/"]),
        st.sampled_from(["a.md", "*.yaml", "build", "y", "?.md", "*", "build/*", "x/**", "[ab].md", "keep.*"]),
        st.sampled_from(["", "", "/"]),
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(PATTERNS, min_size=1, max_size=4), st.lists(PATTERNS, max_size=2))
def test_git_agrees(judge: Path, top: list[str], below: list[str]) -> None:
    for folder, patterns in (("", top), ("x", below)):
        (judge / folder / ".gitignore").write_text("\n".join(patterns) + "\n")
    asked = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin"],
        input="\n".join(FILES).encode(),
        cwd=judge,
        capture_output=True,
        check=False,
    )
    rules = {".reconcilerignore": "\n".join(top), "x/.reconcilerignore": "\n".join(below)}
    assert ignored(rules) == set(asked.stdout.decode().split())


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "**/a/**/b/**/c/**/d", "!*a*b*c*d"])
def test_a_pattern_that_could_take_hours_is_refused(pattern: str) -> None:
    with pytest.raises(SourceTooLarge) as refused:
        IgnoreRules({"docs/.reconcilerignore": f"ok\n{pattern}\n".encode()})
    assert refused.value.where == "docs/.reconcilerignore:2"


@pytest.mark.parametrize("pattern", ["!", "a\\", "[[:alpha:]]x"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(SourceRefused):
        IgnoreRules({".reconcilerignore": pattern.encode()})
