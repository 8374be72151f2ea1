"""`reconciler plan --config`: what the daemon's planner would decide, for a cluster as it is or in a file."""

import json
from pathlib import Path
from typing import Any

import pytest

WEB = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {image: example.com/web:1}\n"
BIG = (
    "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: big}\n"
    "spec:\n  image: example.com/big:1\n  replicas: 1\n  placement: {pool: large}\n"
    "  resources: {requests: {cpu: 20, memory: 1Gi}}\n"
)
CONFIG = """\
sources: [{name: shop, url: /srv/shop}]
planner:
  pools:
    - {name: general, nodeSelector: {tier: general}}
    - {name: large, nodeSelector: {tier: large}}
  defaults: {requests: {cpu: 250m, memory: 256Mi}}
"""


def node(name: str, tier: str, zone: str, cpu: str) -> dict[str, Any]:
    labels = {"tier": tier, "topology.kubernetes.io/zone": zone}
    allocatable = {"cpu": cpu, "memory": "16Gi", "pods": "110"}
    status = {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    nodes = [node("a1", "general", "a", "4"), node("b1", "general", "b", "4"), node("large-1", "large", "a", "16")]
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"kind": "ClusterSnapshot", "objects": nodes}))
    return file


def test_the_decisions_are_shown_with_their_reasons(cli: Any, shop: Any, config: Path, snapshot: Path) -> None:
    folder = shop({"web.yaml": WEB, "big.yaml": BIG})
    words = ("plan", folder, "--config", config, "--snapshot", snapshot)
    assert cli.golden("plan-decided.txt", *words).code == 2
    assert cli.golden("plan-decided-markdown.txt", *words, "--output", "markdown").code == 2


def weighed(text: str) -> dict[str, str]:
    """A spec that says how it is weighed."""
    return {"web.yaml": WEB.replace("web:1}", f"web:1, planner: {text}}}")}


def test_a_spec_is_weighed_as_it_says_within_the_limits(cli: Any, shop: Any, config: Path, snapshot: Path) -> None:
    limits = "  repositories: {profiles: [cost], weights: {spread: {max: 2}}}\n"
    config.write_text(CONFIG + limits)
    folder = shop(weighed("{profile: cost, weights: {spread: 2}}"))
    words = ("plan", folder, "--config", config, "--snapshot", snapshot)
    assert cli.golden("plan-weighed.txt", *words).code == 2
    (web,) = json.loads(cli(*words, "--output", "json").out)["planner"]["workloads"]
    assert web["weighs"] == {"profile": "cost", "weights": {"spread": 2.0}}
    for decision in web["decisions"]:
        for option in filter(None, (decision["chosen"], decision["runnerUp"])):
            weights = {term["name"]: term["weight"] for term in option["terms"]}
            assert (weights["spread"], weights["cost"]) == (2.0, 0.5)
            assert sum(term["contribution"] for term in option["terms"]) == pytest.approx(option["score"], abs=1e-12)


def test_beyond_them_it_is_refused_also_by_validate(cli: Any, shop: Any, config: Path, snapshot: Path) -> None:
    folder = shop(weighed("{weights: {spread: 2}}"))
    for words in (("validate", folder), ("plan", folder, "--snapshot", snapshot)):
        ran = cli(*words, "--config", config)
        assert ran.code == 1
        said = "web.yaml:4:62: Deployment/web spec.planner.weights.spread: the weight of spread is not among"
        assert said in ran.out + ran.err
        assert "planner.repositories of the daemon's configuration has the limits" in ran.out + ran.err
    assert cli("validate", folder).code == 0, "without a configuration nobody knows them"


def test_they_are_in_the_json_and_in_what_is_made(cli: Any, shop: Any, config: Path, snapshot: Path) -> None:
    folder = shop({"web.yaml": WEB, "big.yaml": BIG})
    found = json.loads(cli("plan", folder, "--config", config, "--snapshot", snapshot, "--output", "json").out)
    assert found["version"] == 1
    big, web = sorted(found["planner"]["workloads"], key=lambda each: each["workload"])
    assert web["amounts"]["replicas"]["amount"] == "2"
    assert web["recorded"]["requests"] == {"cpu": "250m", "memory": "256Mi"}
    assert sum(place["replicas"] for place in web["places"]) == 2
    assert (big["places"], big["unplaced"]["replicas"], big["unplaced"]["constraint"]) == ([], 1, "size")
    assert big["amounts"] == {}
    assert "planner" not in json.loads(cli("plan", folder, "--offline", "--output", "json").out)


def test_for_the_cluster_as_it_is_with_what_lies_in_it(
    cli: Any, shop: Any, whole_cluster: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text("sources: [{name: shop, url: /srv/shop}]\nplanner: {defaults: {requests: {cpu: 250m}}}\n")
    where = ("--kubeconfig", whole_cluster, "--state-namespace", "default", "--output", "json")
    folder = shop({"web.yaml": WEB})
    new = json.loads(cli("plan", folder, "--config", plain, *where).out)
    (web,) = new["planner"]["workloads"]
    assert sum(place["replicas"] for place in web["places"]) == 2
    assert web["recorded"]["requests"] == {"cpu": "250m"}
    assert web["pending"] is None
    assert cli("apply", folder, *where).code == 0
    old = json.loads(cli("plan", folder, "--config", plain, *where).out)
    (web,) = old["planner"]["workloads"]
    assert web["recorded"]["requests"] == {}, "it was there before there was a planner (rule 19)"
    assert web["pending"]["requests"] == {"cpu": "250m"}
    (change,) = [each for each in old["changes"] if each["action"] == "update"]
    assert [field["path"] for field in change["fields"]] == [
        "metadata.annotations.reconciler.dev/planned",
        "spec.replicas",
    ]


def test_a_configuration_without_a_planner_plans_nothing(
    cli: Any, shop: Any, config: Path, whole_cluster: Path
) -> None:
    config.write_text("sources: [{name: shop, url: /srv/shop}]\n")
    where = ("--kubeconfig", whole_cluster, "--output", "json")
    assert "planner" not in json.loads(cli("plan", shop({"web.yaml": WEB}), "--config", config, *where).out)


def test_a_picture_of_the_nodes_needs_some(cli: Any, shop: Any, config: Path, snapshot: Path, tmp_path: Path) -> None:
    folder, file = shop({"web.yaml": WEB}), tmp_path / "nodes.png"
    assert cli("plan", folder, "--config", config, "--snapshot", snapshot, "--png", file).code == 2
    assert file.read_bytes().startswith(b"\x89PNG")
    assert cli("plan", folder, "--offline", "--png", file).err.startswith("--png has nothing to draw\n  hint: --config")
