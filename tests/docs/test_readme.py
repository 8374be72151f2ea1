"""What README.md and the example's tutorial show is what happens."""

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from reconciler.cli.main import main, parser

ROOT = Path(__file__).resolve().parents[2]
FILES = ("*.md", "docs/**/*.md", "examples/**/*.md", "deploy/*.md")
PAGES = sorted(str(path.relative_to(ROOT)) for pattern in FILES for path in ROOT.glob(pattern))
# What a word in capitals, or a list of choices, stands for.
EXAMPLES = {"PATH": "examples/repo", "FILE": "config.yaml", "KIND/NAME": "deployment/web", "SOURCE": "shop"}


def run(*words):
    """Exit code and output of a verb in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(words)
    return code, out.getvalue()


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A copy of the example repository, as the working directory."""
    shutil.copytree(ROOT / "examples" / "repo", tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def offline():
    code, out = run("plan", ".", "--paths", "base,env/prod", "--offline")
    assert code == 2
    return {line.split()[1] for line in out.splitlines() if line.startswith("+")}


def test_the_spec_is_valid_and_becomes_what_is_said(page, tmp_path):
    (spec,) = page("README.md").blocks("yaml")
    image = "apiVersion: reconciler.dev/v1\nkind: Image\nmetadata: {name: web, namespace: shop}\n"
    image += 'spec: {repository: registry.example.com/shop/web, tag: "1"}\n'
    task = "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: migrate, namespace: shop}\n"
    task += "spec: {image: web, command: [migrate], run: onChange}\n"
    for name, text in (("web.yaml", spec), ("image.yaml", image), ("task.yaml", task), ("config/web/site.conf", "a")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    code, out = run("validate", str(tmp_path))
    assert (code, out) == (0, "3 documents are valid; 0 errors, 0 warnings\n")
    code, out = run("plan", str(tmp_path), "--offline")
    kinds = {line.split()[1].split("/")[0] for line in out.splitlines() if line.startswith("+")}
    made = {"Deployment", "ConfigMap", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Job"}
    assert kinds == made


@pytest.mark.parametrize("name", ["README.md", "docs/problems.md"])
def test_the_mistake_is_said_exactly_so(page, tmp_path, name):
    text = page(name).text
    shown = re.search(r"(?:^    .*\n)+", text[text.index("    apps/web.yaml:14:13") :], re.MULTILINE)
    spec = "# a comment\n" * 4 + (
        "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  image: example.com/web:1\n"
        "  ports:\n    - name: http\n      containerPort: 8080\n  replicas: three\n"
    )
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "web.yaml").write_text(spec)
    code, out = run("validate", str(tmp_path))
    assert code == 1
    assert shown
    assert out.splitlines()[:-1] == [line[4:] for line in shown.group().splitlines()]


def test_what_make_is_said_to_do_it_does(page):
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"^    make ([a-z]+)", page(name).text, re.MULTILINE)) <= targets


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_is_shown_is_a_command(page, name):
    for command in page(name).commands():
        words = [EXAMPLES.get(word, word) for word in shlex.split(command)]
        if words[1:] in (["VERB", "--help"], ["VERB", "[PATH"], ["--help"], ["--version"]) or "VERB" in words:
            continue
        if len(words) == 2 and words[1] in ("history", "demo", "run", "plan", "apply", "prune", "suspend", "status"):
            continue  # named, not shown in full
        args, unknown = parser().parse_known_args(words[1:])
        assert not unknown, command
        assert "verb" in args, command


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(page, name):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page(name).text):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), target


def test_the_tutorial_names_every_file(page, example):
    tutorial = page("examples/repo/README.md")
    named = {cell.rstrip("/") for cell in tutorial.first_cells(tutorial.text)}
    for path in (*example.glob("base/*.yaml"), *example.glob("env/prod/*.yaml")):
        relative = path.relative_to(example)
        assert str(relative) in named or str(relative.parent) in named
    assert all((example / name).exists() for name in named)


def test_the_tutorials_commands_run(page, example):
    commands = [shlex.split(line) for line in page("examples/repo/README.md").commands()]
    offline_ones = [words for words in commands if words[1] == "validate" or "--offline" in words]
    assert {words[1] for words in offline_ones} == {"validate", "plan"}
    assert [run(*words[1:])[0] for words in offline_ones] == [{"validate": 0, "plan": 2}[w[1]] for w in offline_ones]


def test_the_tutorials_mistake(example):
    web = example / "env" / "prod" / "web.yaml"
    web.write_text(re.sub(r"replicas: \d", "replicas: three", web.read_text()))
    code, out = run("validate", ".", "--paths", "base,env/prod")
    assert code == 1
    assert re.match(r'env/prod/web\.yaml:\d+:13: Deployment/web spec\.replicas: "three" is not an integer\n', out)


def test_the_tutorials_release(example):
    before = offline()
    images = example / "base" / "images.yaml"
    images.write_text(images.read_text().replace('tag: "2.0.1"', 'tag: "2.1.0"'))
    assert {name.split("-")[0] for name in before ^ offline()} == {"Job/shop/migrate"}


def test_the_tutorials_setting(example):
    before = offline()
    conf = example / "base" / "config" / "web" / "site.conf"
    changed = re.sub(r"(items_per_page\D+)\d+", r"\g<1>77", conf.read_text())
    assert changed != conf.read_text()
    conf.write_text(changed)
    assert {name.rpartition("-")[0] for name in before ^ offline()} == {"ConfigMap/shop/web-files"}


def test_what_the_tutorial_says_that_a_few_lines_become(example):
    made = offline()
    for name in ("Deployment/shop/web", "Service/shop/web", "Ingress/shop/web", "PodDisruptionBudget/shop/web"):
        assert name in made
    assert {name.split("/")[0] for name in made if "nightly-report" in name} == {"CronJob"}
