"""A plan in a file: `plan --out`, and `apply --plan`, which makes that and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from git_repository import Repository
from imaged import image
from jsonschema import Draft202012Validator
from texts import NAMESPACE, config, deployment

from reconciler.model.saved import SavedPlan

SCHEMA = Path(__file__).parents[2] / "schemas" / "saved-plan.json"
CANARY = "c4n4ry-77aa"
SECRET = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{key: {CANARY}-%s}}\n"
BASE = {"namespace.yaml": NAMESPACE, "a.yaml": config("a"), "b.yaml": config("b"), "s.yaml": SECRET % "old"}
HEAD = {"a.yaml": config("a", "2"), "c.yaml": config("c"), "b.yaml": None, "s.yaml": SECRET % "new"}
PLANNER = "sources: [{name: shop, url: /srv/shop}]\nplanner: {defaults: {requests: {cpu: 250m}}}\n"
Applied = Callable[..., tuple[Repository, tuple[object, ...]]]


@pytest.fixture
def applied(cli: Any, tmp_path: Path) -> Applied:
    """A clone whose base is applied to the cluster, with the head checked out; and flags for both commands."""

    def made(kubeconfig: Path) -> tuple[Repository, tuple[object, ...]]:
        clone = Repository(tmp_path / "shop")
        clone.commit(BASE)
        where = ("--kubeconfig", kubeconfig, "--state-namespace", "default")
        assert cli("apply", clone.path, "--no-wait", "--namespace", "shop", *where).code == 0
        clone.git("checkout", "--quiet", "-b", "change")
        clone.commit(HEAD)
        return clone, where

    return made


def saved(cli: Any, clone: Repository, where: tuple[object, ...], *words: object) -> Path:
    file = clone.path.parent / "plan.json"
    ran = cli("plan", clone.path, "--base", "main", "--out", file, "--namespace", "shop", *where, *words)
    assert ran.code == 2, ran
    return file


def test_what_was_planned_is_applied(cli: Any, applied: Applied, api_server: Path) -> None:
    clone, where = applied(api_server)
    file = saved(cli, clone, where)
    ran = cli("apply", clone.path, "--plan", file, "--no-wait", *where)
    assert ran.code == 0, ran
    left = cli("plan", clone.path, "--base", "main", "--namespace", "shop", *where)
    assert "no changes" in left.out
    again = cli("apply", clone.path, "--plan", file, *where)
    assert again.code == 1
    assert "not as it was planned" in again.err


def test_its_source_and_layers_need_not_be_named_again(cli: Any, tmp_path: Path, api_server: Path) -> None:
    clone = Repository(tmp_path / "shop")
    clone.commit({"base/namespace.yaml": NAMESPACE, "base/a.yaml": config("a"), "env/a.yaml": config("a", "2")})
    where = ("--kubeconfig", api_server, "--state-namespace", "default")
    layers = ("--paths", "base,env", "--source", "front", "--namespace", "shop")
    assert cli("apply", clone.path, "--no-wait", *layers, *where).code == 0
    clone.git("checkout", "--quiet", "-b", "change")
    clone.commit({"env/a.yaml": config("a", "3")})
    ran = cli("apply", clone.path, "--plan", saved(cli, clone, where, *layers), "--no-wait", *where)
    assert ran.code == 0, ran
    assert "1 changed" in ran.out


def test_the_file_keeps_to_its_schema_and_has_no_secret(cli: Any, applied: Applied, api_server: Path) -> None:
    clone, where = applied(api_server)
    text = saved(cli, clone, where).read_text()
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(text))
    assert CANARY not in text
    found = SavedPlan.of(text.encode(), "")
    assert [(each.name, each.action) for each in found.changes] == [
        ("a", "update"),
        ("b", "prune"),
        ("c", "create"),
        ("s", "update"),
    ]


def refused(cli: Any, clone: Repository, where: tuple[object, ...], file: Path) -> str:
    ran = cli("apply", clone.path, "--plan", file, "--no-wait", *where)
    assert ran.code == 1, ran
    assert "nothing is applied" in ran.err
    return str(ran.err)


def test_another_commit_is_refused(cli: Any, applied: Applied, api_server: Path) -> None:
    clone, where = applied(api_server)
    file = saved(cli, clone, where)
    clone.commit({"c.yaml": config("c", "2")})
    assert "another commit, which is checked out" in refused(cli, clone, where, file)


def test_a_base_that_moved_is_refused_and_one_that_was_merged_is_not(
    cli: Any, applied: Applied, api_server: Path
) -> None:
    clone, where = applied(api_server)
    file = saved(cli, clone, where)
    clone.git("checkout", "--quiet", "main")
    start = clone.git("rev-parse", "HEAD")
    clone.commit({"d.yaml": config("d")})
    clone.git("checkout", "--quiet", "change")
    assert "another base main" in refused(cli, clone, where, file)
    clone.git("branch", "--force", "main", start)
    clone.git("branch", "--force", "main", "change")
    assert cli("apply", clone.path, "--plan", file, "--no-wait", *where).code == 0


def test_another_version_and_a_file_that_was_edited_are_refused(cli: Any, applied: Applied, api_server: Path) -> None:
    clone, where = applied(api_server)
    file = saved(cli, clone, where)
    stated = json.loads(file.read_text())
    file.write_text(json.dumps({**stated, "version": "0.0.0"}))
    edited = cli("apply", clone.path, "--plan", file, *where)
    assert (edited.code, "was changed after it was saved" in edited.err) == (1, True)
    plan = SavedPlan.of(json.dumps(stated).encode(), "")
    other = type(plan)(**{name: getattr(plan, name) for name in plan.__struct_fields__} | {"version": "0.0.0"})
    file.write_text(other.sealed().text())
    assert "another version of reconciler" in refused(cli, clone, where, file)
    for content in (b"", b"[]", b"{}", b'{"format": 2}', b"\xff", b'{"format": 1}'):
        file.write_bytes(content)
        ran = cli("apply", clone.path, "--plan", file, *where)
        assert (ran.code, "Traceback" in ran.err) == (1, False)


def test_what_was_decided_is_frozen(cli: Any, tmp_path: Path, whole_cluster: Path) -> None:
    """Applying needs no configuration: the numbers of the plan are those that are made."""
    clone = Repository(tmp_path / "shop")
    clone.commit({"namespace.yaml": NAMESPACE})
    where = ("--kubeconfig", whole_cluster, "--state-namespace", "default")
    assert cli("apply", clone.path, "--no-wait", "--namespace", "shop", *where).code == 0
    clone.git("checkout", "--quiet", "-b", "change")
    clone.commit({"web.yaml": deployment()})
    (tmp_path / "config.yaml").write_text(PLANNER)
    file = saved(cli, clone, where, "--config", tmp_path / "config.yaml")
    (decision,) = SavedPlan.of(file.read_bytes(), "").decisions
    assert decision.record.requests == {"cpu": "250m"}
    ran = cli("apply", clone.path, "--plan", file, "--no-wait", *where)
    assert ran.code == 0, ran
    explained = cli("explain", "deployment/web", "--namespace", "shop", *where)
    assert "250m" in explained.out, explained


def test_what_cannot_be_frozen_is_not_saved(cli: Any, applied: Applied, api_server: Path) -> None:
    clone, where = applied(api_server)
    file = clone.path.parent / "plan.json"
    words = ("plan", clone.path, "--base", "main", "--out", file, "--namespace", "shop")
    ran = cli(*words, "--offline")
    assert (ran.code, "for the cluster that it is applied to" in ran.err) == (1, True)
    clone.commit({"image.yaml": image(), "web/Containerfile": "FROM scratch\n"})
    ran = cli(*words, *where)
    assert (ran.code, "it is not known which digest" in ran.err) == (1, True)
    clone.commit({"image.yaml": None, "x.yaml": "kind: ConfigMap\n"})
    ran = cli(*words, *where)
    assert (ran.code, "the head is invalid" in ran.err) == (1, True)
    clone.commit({"x.yaml": None})
    clone.git("checkout", "--quiet", "main")
    clone.commit({"d.yaml": config("d")})
    ran = cli(*words, "--head", "change", *where)
    assert (ran.code, "lags behind" in ran.err) == (1, True)
    assert not file.exists()
