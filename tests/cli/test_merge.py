"""`reconciler plan --base --head`: what a merge would do, from a clone; and what is said where there is no answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from git_repository import Repository
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from texts import NAMESPACE, config, deployment

SCHEMAS = Path(__file__).parents[2] / "schemas"
PRICED = """\
sources: [{name: shop, url: /srv/shop}]
planner:
  pools:
    - {name: general, nodeSelector: {tier: general}, price: 0.1}
    - {name: large, nodeSelector: {tier: large}, price: 1}
  defaults: {requests: {cpu: 250m, memory: 256Mi}}
"""


def node(name: str, tier: str, cpu: str) -> dict[str, Any]:
    status = {
        "allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    labels = {"tier": tier, "topology.kubernetes.io/zone": "a"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


def sized(cpu: int, replicas: int, name: str = "web") -> str:
    extra = f"  replicas: {replicas}\n  resources: {{requests: {{cpu: {cpu}, memory: 1Gi}}}}\n"
    return deployment(name, extra=extra)


@pytest.fixture
def clone(tmp_path: Path) -> Repository:
    """A work tree with a commit on its branch `main`."""
    repository = Repository(tmp_path / "shop")
    repository.commit({"namespace.yaml": NAMESPACE, "a.yaml": config("a"), "web.yaml": sized(1, 2)})
    return repository


@pytest.fixture
def decided(tmp_path: Path) -> tuple[object, ...]:
    """The flags for a planner with prices and a cluster in a file."""
    nodes = [node("a1", "general", "4"), node("a2", "general", "4"), node("large-1", "large", "16")]
    (tmp_path / "cluster.json").write_text(json.dumps({"kind": "ClusterSnapshot", "objects": nodes}))
    (tmp_path / "config.yaml").write_text(PRICED)
    return "--config", tmp_path / "config.yaml", "--snapshot", tmp_path / "cluster.json", "--namespace", "shop"


def branch(clone: Repository, files: dict[str, str | bytes | None], name: str = "change") -> None:
    clone.git("checkout", "--quiet", "-B", name)
    clone.commit(files)


def test_the_planner_decides_before_and_after(cli: Any, clone: Repository, decided: tuple[object, ...]) -> None:
    branch(clone, {"web.yaml": sized(2, 3), "big.yaml": sized(12, 2, "big")})
    words = ("plan", clone.path, "--base", "main", "--head", "change", *decided)
    ran = cli(*words, "--output", "json")
    assert ran.code == 2
    found = json.loads(ran.out)
    common: Any = Resource.from_contents(json.loads((SCHEMAS / "common.json").read_text()))
    schema = json.loads((SCHEMAS / "review.json").read_text())
    Draft202012Validator(schema, registry=Registry().with_resource("common.json", common)).validate(found)
    big, web = found["planner"]["workloads"]
    assert (web["before"]["replicas"], web["after"]["replicas"]) == (2, 3)
    assert web["before"]["requests"] == {"cpu": "1000m", "memory": "1024Mi"}
    assert web["before"]["price"] == pytest.approx(0.1 * 730 * 2 / 4)
    assert web["after"]["price"] == pytest.approx(0.1 * 730 * 3 * 2 / 4)
    assert big["before"] is None
    assert big["after"]["unplaced"]["replicas"] == 1
    assert [risk["name"] for risk in found["risks"] if risk["code"] == "no-room"] == ["big"]
    cli.golden("merge-decided.txt", *words)
    cli.golden("merge-decided-markdown.txt", *words, "--output", "markdown")


def test_what_did_not_change_is_decided_as_before(cli: Any, clone: Repository, decided: tuple[object, ...]) -> None:
    """A document that is the same on both sides keeps what was filled in: nothing rolls out for another plan."""
    clone.commit({"open.yaml": deployment("open")})
    branch(clone, {"a.yaml": config("a", "2")})
    ran = cli("plan", clone.path, "--base", "main", *decided, "--output", "json")
    found = json.loads(ran.out)
    assert [change["name"] for change in found["changes"]] == ["a"]
    assert found["planner"]["workloads"] == []


def test_without_a_planner_nothing_is_said_of_it(cli: Any, clone: Repository) -> None:
    branch(clone, {"a.yaml": config("a", "2")})
    found = json.loads(cli("plan", clone.path, "--base", "main", "--offline", "--output", "json").out)
    assert found["planner"] is None


def offline(cli: Any, clone: Repository, *words: object) -> Any:
    return cli("plan", clone.path, "--offline", "--namespace", "shop", *words)


def test_a_revision_that_is_not_there(cli: Any, clone: Repository) -> None:
    for words in (("--base", "nowhere"), ("--base", "main", "--head", "nowhere")):
        ran = offline(cli, clone, *words)
        assert ran.code == 1
        assert "there is no revision 'nowhere'" in ran.err
        assert "fetch first?" in ran.err


def test_a_revision_is_never_an_option_of_git(cli: Any, clone: Repository, tmp_path: Path) -> None:
    made = tmp_path / "made"
    for rev in (f"--output={made}", "-h", "--", "--upload-pack=touch"):
        ran = offline(cli, clone, f"--base={rev}")
        assert ran.code == 1
        assert "there is no revision" in ran.err or "--base names nothing" in ran.err
    assert not made.exists()


def test_the_same_revision_and_one_that_was_merged_already(cli: Any, clone: Repository) -> None:
    same = offline(cli, clone, "--base", "main", "--head", "main")
    assert (same.code, same.err) == (0, "")
    assert "No danger found: no changes" in same.out
    clone.git("branch", "old")
    clone.commit({"a.yaml": config("a", "2")})
    ahead = offline(cli, clone, "--base", "main", "--head", "old")
    assert ahead.code == 0
    assert "no changes" in ahead.out


def test_a_branch_that_lags_behind_is_reviewed_as_it_would_be_merged(cli: Any, clone: Repository) -> None:
    branch(clone, {"b.yaml": config("b")})
    clone.git("checkout", "--quiet", "main")
    clone.commit({"c.yaml": config("c")})
    ran = offline(cli, clone, "--base", "main", "--head", "change", "--output", "json")
    assert [change["name"] for change in json.loads(ran.out)["changes"]] == ["b"]


def test_a_conflict_names_the_files(cli: Any, clone: Repository) -> None:
    branch(clone, {"a.yaml": config("a", "2")})
    clone.git("checkout", "--quiet", "main")
    clone.commit({"a.yaml": config("a", "3")})
    ran = offline(cli, clone, "--base", "main", "--head", "change")
    assert ran.code == 1
    assert "the two revisions conflict" in ran.err
    assert "a.yaml" in ran.err


def test_a_whole_tree_that_is_renamed_changes_nothing(cli: Any, clone: Repository) -> None:
    branch(clone, {})
    (clone.path / "deep").mkdir()
    clone.git("mv", "namespace.yaml", "a.yaml", "web.yaml", "deep")
    clone.git("commit", "--quiet", "-m", "Move")
    ran = offline(cli, clone, "--base", "main", "--head", "change")
    assert ran.code == 0, ran.out
    assert "no changes" in ran.out


def test_overlays_that_one_revision_has(cli: Any, clone: Repository) -> None:
    """The layer that is not there is empty, and said to be: its objects would be held, not deleted."""
    branch(clone, {"env/prod/a.yaml": config("a", "prod")})
    ran = offline(cli, clone, "--base", "main", "--head", "change", "--paths", ".,env/prod", "--output", "json")
    found = json.loads(ran.out)
    assert [change["action"] for change in found["changes"]] == ["update"], ran.err


def test_a_folder_that_the_base_has_not(cli: Any, clone: Repository) -> None:
    branch(clone, {"apps/b.yaml": config("b"), "apps/namespace.yaml": NAMESPACE})
    ran = cli("plan", clone.path / "apps", "--base", "main", "--offline", "--namespace", "shop", "--output", "json")
    assert ran.code == 2, ran.err
    assert sorted(change["name"] for change in json.loads(ran.out)["changes"]) == ["b", "shop"]


def test_a_settings_file_that_is_broken_in_the_base(cli: Any, clone: Repository) -> None:
    """The rules of the base cannot be read then: the ones that are built in count, and the head mends it."""
    clone.commit({"reconciler.yaml": "review: {risks: [}\n"})
    branch(clone, {"reconciler.yaml": None, "a.yaml": None})
    ran = offline(cli, clone, "--base", "main", "--head", "change", "--output", "json")
    found = json.loads(ran.out)
    assert [risk["code"] for risk in found["risks"]] != []


def checked_out(clone: Repository, place: Path, *refs: str, depth: int) -> Repository:
    """As a CI runner gets `refs`, so deep, the first of them checked out. Nothing else is there."""
    made = Repository(place)
    made.git("fetch", "--quiet", f"--depth={depth}", f"file://{clone.path}", *refs)
    made.git("checkout", "--quiet", "--detach", refs[0])
    return made


def grown(clone: Repository, count: int, name: str) -> str:
    for number in range(count):
        clone.commit({f"{name}.yaml": config(name, str(number))})
    return clone.git("rev-parse", "HEAD")


@pytest.mark.parametrize("depth", [1, 20])
def test_a_checkout_of_ci_that_is_too_shallow(cli: Any, clone: Repository, tmp_path: Path, depth: int) -> None:
    """actions/checkout fetches one commit, GitLab twenty."""
    clone.git("checkout", "--quiet", "-b", "change")
    head = grown(clone, depth, "b")
    clone.git("checkout", "--quiet", "main")
    base = grown(clone, 1, "c")
    alone = checked_out(clone, tmp_path / "alone" / "shop", head, depth=depth)
    ran = offline(cli, alone, "--base", base, "--head", head)
    assert (ran.code, ran.out) == (1, "")
    assert f"there is no revision '{base}'" in ran.err
    assert "shallow" in ran.err
    assert "fetch-depth: 0 on GitHub" in ran.err
    both = checked_out(clone, tmp_path / "both" / "shop", head, base, depth=depth)
    ran = offline(cli, both, "--base", base, "--head", head)
    assert (ran.code, ran.out) == (1, "")
    assert "it cannot be told where the two revisions parted" in ran.err
    assert f"it ends at {both.git('rev-parse', f'HEAD~{depth - 1}')[:12]}" in ran.err
    assert "git fetch --unshallow" in ran.err
    both.git("fetch", "--quiet", "--unshallow", f"file://{clone.path}")
    ran = offline(cli, both, "--base", base, "--head", head, "--output", "json")
    assert [change["name"] for change in json.loads(ran.out)["changes"]] == ["b"]


def test_a_checkout_of_ci_that_is_deep_enough(cli: Any, clone: Repository, tmp_path: Path) -> None:
    grown(clone, 30, "old")
    clone.git("checkout", "--quiet", "-b", "change")
    head = grown(clone, 3, "b")
    clone.git("checkout", "--quiet", "main")
    base = grown(clone, 3, "c")
    for each, named in ((base, ["b"]), (clone.git("rev-parse", "HEAD~3"), ["b"]), (head, [])):
        place = checked_out(clone, tmp_path / each / "shop", head, base, depth=20)
        ran = offline(cli, place, "--base", each, "--head", head, "--output", "json")
        assert [change["name"] for change in json.loads(ran.out)["changes"]] == named, ran.err


def test_a_nearer_parting_behind_the_end_of_the_history_is_not_overlooked(
    cli: Any, clone: Repository, tmp_path: Path
) -> None:
    """Both have `side`, the base by a long way; by a short one they have the start in common."""
    start = clone.git("rev-parse", "main")
    clone.git("checkout", "--quiet", "-b", "side")
    clone.commit({"a.yaml": config("a", "side")})
    clone.git("checkout", "--quiet", "-b", "short", start)
    clone.commit({"d.yaml": config("d")})
    clone.git("checkout", "--quiet", "-b", "base", start)
    clone.git("merge", "--quiet", "--no-ff", "-m", "Long", "side")
    grown(clone, 5, "c")
    clone.git("merge", "--quiet", "--no-ff", "-m", "Short", "short")
    base = clone.git("rev-parse", "HEAD")
    clone.git("checkout", "--quiet", "-b", "change", "side")
    head = clone.commit({"b.yaml": config("b")})
    for depth, code in ((3, 1), (20, 2)):
        place = checked_out(clone, tmp_path / str(depth) / "shop", head, base, depth=depth)
        assert (place.git("merge-base", base, head) == start) is (code == 1), "what Git itself sees"
        ran = offline(cli, place, "--base", base, "--head", head)
        assert ran.code == code, ran.err
        assert ("it cannot be told where" in ran.err) is (code == 1)


def test_revisions_with_nothing_in_common(cli: Any, clone: Repository) -> None:
    clone.git("checkout", "--quiet", "--orphan", "other")
    clone.commit({"b.yaml": config("b")})
    ran = offline(cli, clone, "--base", "main", "--head", "other")
    assert ran.code == 1
    assert "the two revisions have no commit in common" in ran.err


def test_a_bare_clone(cli: Any, clone: Repository, tmp_path: Path) -> None:
    branch(clone, {"a.yaml": config("a", "2")})
    bare = tmp_path / "bare" / "shop"
    clone.git("clone", "--quiet", "--bare", str(clone.path), str(bare))
    ran = cli("plan", bare, "--offline", "--base", "main", "--head", "change")
    assert (ran.code, ran.err) == (2, "")


def test_a_head_needs_a_base(cli: Any, clone: Repository) -> None:
    empty = offline(cli, clone, "--base", "")
    assert (empty.code, empty.out) == (1, "")
    assert "--base names nothing" in empty.err
    ran = offline(cli, clone, "--head", "main")
    assert ran.code == 1
    assert "--head without --base" in ran.err
