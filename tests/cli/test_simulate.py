"""`reconciler snapshot` and `reconciler simulate`: a cluster in a file, and what would be if."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

CONTAINER = {"name": "main", "image": "example.com/web:1", "env": [{"name": "TOKEN", "value": "canary-7f3a"}]}


def node(name: str, zone: str, pool: str = "general", **allocatable: str) -> dict[str, Any]:
    labels = {"topology.kubernetes.io/zone": zone, "reconciler.dev/pool": pool}
    has = {"cpu": "4", "memory": "16Gi", "pods": "110", **allocatable}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": has, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def deployment(name: str, replicas: int, cpu: str, **spec: Any) -> dict[str, Any]:
    container = {**CONTAINER, "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


SPREAD = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
    ]
}


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    nodes = [node("a1", "a"), node("a2", "a"), node("b1", "b"), node("big", "b", "large", cpu="16", memory="64Gi")]
    workloads = [deployment("web", 4, "1", **SPREAD), deployment("cart", 3, "500m"), deployment("batch", 1, "12")]
    file = tmp_path / "cluster.json"
    body = {"apiVersion": "reconciler.dev/v1", "kind": "ClusterSnapshot", "taken": "2026-03-01T00:00:00+00:00"}
    file.write_text(json.dumps({**body, "objects": [*nodes, *workloads]}))
    return file


def test_everything_has_a_place(cli: Any, taken: Path) -> None:
    ran = cli.golden("simulate.txt", "simulate", "--snapshot", taken)
    assert ran.code == 0


def test_a_lost_zone_leaves_what_fits_nowhere_else(cli: Any, taken: Path) -> None:
    ran = cli.golden("simulate_zone.txt", "simulate", "--snapshot", taken, "--kill-zone", "b")
    assert ran.code == 2
    assert "Deployment/shop/batch" in ran.out


def test_more_load_needs_more_nodes(cli: Any, taken: Path) -> None:
    assert cli("simulate", "--snapshot", taken, "--load", "6").code == 2
    more = ("--add-nodes", "general=4", "--add-nodes", "large=5")
    assert cli("simulate", "--snapshot", taken, "--load", "6", *more).code == 0


def test_every_number_adds_up_to_its_score(cli: Any, taken: Path) -> None:
    found = json.loads(cli("simulate", "--snapshot", taken, "--output", "json").out)
    for workload in found["workloads"]:
        assert sum(place["replicas"] for place in workload["places"]) == workload["replicas"]
        for decision in workload["decisions"]:
            for option in filter(None, (decision["chosen"], decision["runnerUp"])):
                assert option["score"] == pytest.approx(sum(term["contribution"] for term in option["terms"]))
                assert all(0 <= term["value"] <= 1 for term in option["terms"])


def test_why_it_is_where_it_is(cli: Any, taken: Path) -> None:
    ran = cli.golden("simulate_explain.txt", "simulate", "--snapshot", taken, "--explain", "deployment/shop/web")
    assert ran.code == 0


def test_the_same_file_gives_the_same_bytes(taken: Path) -> None:
    def once(seed: str) -> bytes:
        words = ["simulate", "--snapshot", str(taken), "--output", "json"]
        code = f"import sys; from reconciler.cli.main import main; sys.exit(main({words!r}))"
        environment = {"PYTHONHASHSEED": seed, "PATH": ""}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout

    assert once("1") == once("2")


def test_a_picture_of_the_nodes(cli: Any, taken: Path, tmp_path: Path) -> None:
    file = tmp_path / "nodes.png"
    assert cli("simulate", "--snapshot", taken, "--png", file).code == 0
    with Image.open(file) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert (8, 64, 129) in colours, "the legend's full"
    assert len(colours) > 10, "nodes that are neither full nor empty"


def test_without_pillow_the_extra_is_named(taken: Path, tmp_path: Path) -> None:
    words = ["simulate", "--snapshot", str(taken), "--png", str(tmp_path / "nodes.png")]
    code = f"import sys; sys.modules['PIL'] = None; from reconciler.cli.main import main; sys.exit(main({words!r}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == f"--png needs Pillow\n  hint: {sys.executable} -m pip install pillow\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--kill-zone", "c"), "no node is in zone 'c'"),
        (("--add-nodes", "huge=2"), "there is no pool 'huge' with a node\n  hint: there are general, large"),
        (("--add-nodes", "general=0"), "is no number from 1"),
        (("--add-nodes", "general=1000000000"), "are more than 10000"),
        (("--add-nodes", "general"), "is not POOL=N"),
        (("--load", "-1"), "not a load"),
        (("--load", "nan"), "not a load"),
        (("--weight", "beauty=1"), "there is no term 'beauty'"),
        (("--weight", "fit=-1"), "the weight of fit is -1"),
        (("--weight", "fit"), "is not TERM=N"),
        (("--explain", "deployment/shop/nobody"), "there is no workload"),
    ],
)
def test_what_cannot_be_imagined_is_an_error(cli: Any, taken: Path, flags: tuple[str, ...], said: str) -> None:
    ran = cli("simulate", "--snapshot", taken, *flags)
    assert ran.code == 1
    assert said in ran.err


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[" * 10_000, '{"kind": "ClusterSnapshot"}', '{"kind": "ClusterSnapshot", "objects": [1]}']
)
def test_what_is_no_snapshot_is_an_error(cli: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    ran = cli("simulate", "--snapshot", file)
    assert (ran.code, "this is no snapshot" in ran.err) == (1, True)
    assert cli("simulate", "--snapshot", tmp_path / "none").code == 1


def test_a_doubtful_object_is_left_out_and_said(cli: Any, taken: Path) -> None:
    body = json.loads(taken.read_text())
    metadata = {"name": "odd"}
    body["objects"] += [
        deployment("odd", 1, "much"),
        node("odd", "a", cpu="many"),
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": "high"},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": "none"},
    ]
    taken.write_text(json.dumps(body))
    ran = cli("simulate", "--snapshot", taken)
    assert "note: Deployment/shop/odd is left out: not a quantity: 'much'" in ran.out
    assert "note: Node/odd is left out: not a quantity: 'many'" in ran.out
    assert "note: PriorityClass/odd is left out: " in ran.out
    assert "note: PersistentVolume/odd is left out: " in ran.out
    assert ran.code == 0


def test_labels_that_are_no_texts_are_left_out_with_their_object(cli: Any, taken: Path) -> None:
    body = json.loads(taken.read_text())
    zoned, labelled, selecting = node("odd", "a"), deployment("labelled", 1, "100m"), deployment("selecting", 1, "100m")
    zoned["metadata"]["labels"]["topology.kubernetes.io/zone"] = {}
    labelled["spec"]["template"].setdefault("metadata", {})["labels"] = {"app": 1}
    selecting["spec"]["template"]["spec"]["nodeSelector"] = ["pool"]
    body["objects"] += [zoned, labelled, selecting]
    taken.write_text(json.dumps(body))
    ran = cli("simulate", "--snapshot", taken)
    assert ran.code == 0, ran.err
    assert "note: Node/odd is left out: labels: " in ran.out
    assert "note: Deployment/shop/labelled is left out: labels: {'app': 1} is no map of texts" in ran.out
    assert "note: Deployment/shop/selecting is left out: nodeSelector: ['pool'] is no map of texts" in ran.out


def test_a_quota_of_the_cluster_is_named_where_it_is_used_up(cli: Any, taken: Path) -> None:
    body = json.loads(taken.read_text())
    quota = {"metadata": {"name": "few", "namespace": "shop"}, "spec": {"hard": {"pods": "5"}}}
    body["objects"].append({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    taken.write_text(json.dumps(body))
    ran = cli("simulate", "--snapshot", taken)
    assert "the quota of namespace shop is used up: pods of ResourceQuota/shop/few" in ran.out
    assert "raise pods in ResourceQuota/shop/few" in ran.out
    assert ran.code == 2


def test_a_snapshot_of_a_cluster_has_no_secret_in_it(cli: Any, whole_cluster: Path, tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "shop"},
        "stringData": {"password": "canary-7f3a"},
    }
    web = deployment("web", 2, "100m")
    for number, obj in enumerate((namespace, secret, web)):
        (specs / f"{number}.json").write_text(json.dumps(obj))
    kubeconfig = ("--kubeconfig", whole_cluster, "--state-namespace", "default")
    ran = cli("apply", specs, *kubeconfig)
    assert ran.code == 0, ran.err
    file = tmp_path / "cluster.json"
    assert cli("snapshot", file, *kubeconfig).code == 0
    text = file.read_text()
    assert "canary" not in text
    kinds = {obj["kind"] for obj in json.loads(text)["objects"]}
    assert {"Node", "Deployment"} <= kinds
    assert "Secret" not in kinds
    offline, live = (
        json.loads(cli("simulate", *words, "--output", "json").out) for words in (("--snapshot", file), kubeconfig)
    )
    assert offline["workloads"][0]["places"] == live["workloads"][0]["places"]


CONFIG = """\
sources: [{name: shop, url: /srv/shop}]
planner:
  pools:
  - {name: wide, nodeSelector: {reconciler.dev/pool: large}, price: 3}
  - {name: narrow, nodeSelector: {reconciler.dev/pool: general}, price: 1%s}
  - name: yet-to-come
    nodeSelector: {reconciler.dev/pool: gone}
    template: {allocatable: {cpu: 16, memory: 64Gi}}
"""


def configured(tmp_path: Path, more: str = "") -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG % more)
    return file


def test_the_pools_of_the_daemon_are_planned_with(cli: Any, taken: Path, tmp_path: Path) -> None:
    ran = cli("simulate", "--snapshot", taken, "--config", configured(tmp_path), "--output", "json")
    assert ran.code == 0
    places = {place["pool"] for each in json.loads(ran.out)["workloads"] for place in each["places"]}
    assert places <= {"wide", "narrow"}


def test_a_limit_of_a_pool_binds(cli: Any, taken: Path, tmp_path: Path) -> None:
    asked = ("simulate", "--snapshot", taken, "--load", "2", "--add-nodes", "wide=1", "--config")
    assert cli(*asked, configured(tmp_path)).code == 0
    assert cli(*asked, configured(tmp_path, ", limits: {cpu: 2}")).code == 2


def test_nodes_of_a_pool_that_has_none_are_like_its_template(cli: Any, taken: Path, tmp_path: Path) -> None:
    asked = ("simulate", "--snapshot", taken, "--load", "2", "--config", configured(tmp_path))
    assert cli(*asked).code == 2
    assert cli(*asked, "--add-nodes", "yet-to-come=1").code == 0


def test_a_configuration_without_a_planner_is_said(cli: Any, taken: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("sources: [{name: shop, url: /srv/shop}]\n")
    ran = cli("simulate", "--snapshot", taken, "--config", file)
    assert (ran.code, "this configuration has no planner" in ran.err) == (1, True)
