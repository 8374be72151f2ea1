"""deploy/ci: the templates are of their form, and what they run is run here."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from git_repository import Repository
from processes import COMMAND
from texts import NAMESPACE, config

CI = Path(__file__).resolve().parents[2] / "deploy" / "ci"
BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"


def template(name: str) -> dict[str, Any]:
    return dict(yaml.load((CI / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader))  # `on` is no truth there


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit({"base/ns.yaml": NAMESPACE, "base/a.yaml": config("a"), "env/prod/b.yaml": config("b")}, "Start")
    return made


def shell(script: str, repository: Repository, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner runs it: `-e`, the repository as the folder, `reconciler` on the path, and nothing of ours."""
    path = f"{Path(COMMAND).parent}:{os.environ['PATH']}"
    home = repository.path.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": path, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", **variables}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=repository.path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def branch(repository: Repository, files: dict[str, str | bytes | None]) -> tuple[str, str]:
    """Base and head; the head is checked out."""
    base = repository.git("rev-parse", "main")
    repository.git("checkout", "--quiet", "-b", "change")
    return base, repository.commit(files)


@pytest.mark.parametrize(
    ("files", "says", "ok"),
    [
        ({"base/c.yaml": config("c")}, "ConfigMap/shop/c", True),
        ({}, "", True),
        ({"base/ns.yaml": None}, "data would be lost", False),
    ],
    ids=["good", "nothing", "dangerous"],
)
def test_github(repository: Repository, files: dict[str, str | bytes | None], says: str, ok: bool) -> None:
    workflow = template("github.yaml")
    assert workflow["on"] == {"pull_request": ""}, "never pull_request_target: that has secrets"
    assert workflow["permissions"]["contents"] == "read"
    assert "secrets." not in (CI / "github.yaml").read_text(encoding="utf-8")
    job = workflow["jobs"]["plan"]
    base, head = branch(repository, files)
    summary = repository.path.parent / "summary.md"
    variables = {**job["env"], "BASE": base, "HEAD": head, "GITHUB_STEP_SUMMARY": str(summary)}
    done = [shell(step["run"], repository, **variables) for step in job["steps"] if "run" in step]
    assert (done[-1].returncode == 0) is ok, done[-1].stderr
    assert says in summary.read_text()
    assert (repository.path / "plan.sarif").read_text().startswith("{")


@pytest.mark.parametrize("ok", [True, False])
def test_gitlab(repository: Repository, ok: bool) -> None:
    job = template("gitlab.yaml")["reconciler"]
    base, head = branch(repository, {"base/c.yaml": config("c")} if ok else {"base/ns.yaml": None})
    assert base
    repository.git("remote", "add", "origin", str(repository.path))
    variables = {**job["variables"], "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_SHA": head}
    done = shell("\n".join(job["script"]), repository, **variables)
    assert (done.returncode == 0) is ok, done.stderr
    assert "ConfigMap/shop/c" in done.stdout or "data would be lost" in done.stdout
    assert (repository.path / job["artifacts"]["paths"][0]).exists()


def test_the_hook_looks_at_what_is_committed(repository: Repository) -> None:
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    shutil.copy(CI / "pre-commit", hook)

    def commit() -> subprocess.CompletedProcess[str]:
        who = "-c user.name=Ada -c user.email=ada@example.com"
        return shell(f"git {who} commit --allow-empty -m x", repository, RECONCILER_PATHS="base,env/prod")

    assert commit().returncode == 0
    repository.write({"base/broken.yaml": BROKEN})
    assert commit().returncode == 0, "it is not added"
    repository.git("add", "--all")
    refused = commit()
    assert refused.returncode == 1
    assert "base/broken.yaml:3" in refused.stdout + refused.stderr
    repository.write({"base/broken.yaml": config("mended")})
    assert commit().returncode == 1, "what is added is still broken"
    repository.git("add", "--all")
    assert commit().returncode == 0


def test_for_pre_commit(repository: Repository) -> None:
    (hooks,) = template("pre-commit-hooks.yaml")["repos"]
    (hook,) = hooks["hooks"]
    assert shell(hook["entry"], repository).returncode == 0
    repository.write({"base/broken.yaml": BROKEN})
    assert shell(hook["entry"], repository).returncode == 1
