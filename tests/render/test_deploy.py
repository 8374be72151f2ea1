"""The manifests that run the daemon."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster import roster
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.openapi import catalog
from reconciler.kube.validate import unknown_fields, validate
from reconciler.model.image import JobSettings
from reconciler.planner import snapshot
from reconciler.specs.config import load_config

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "manifests").glob("*.yaml"))
BUILDS = DEPLOY / "builds" / "access.yaml"
REVIEW = DEPLOY / "review" / "10-access.yaml"
FILES = [*MANIFESTS, BUILDS, *sorted((DEPLOY / "tenant").glob("*.yaml"))]  # deploy/prometheus is for Prometheus


def objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def the(kind: str, name: str = "reconciler") -> dict[str, Any]:
    (found,) = (o for f in MANIFESTS for o in objects(f) if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def rules_of(*paths: Path) -> list[dict[str, Any]]:
    return [rule for path in paths for obj in objects(path) for rule in obj.get("rules", [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_manifests_fit_kubernetes_schema(path: Path) -> None:
    for obj in objects(path):
        gvk = GroupVersionKind.of(obj)
        assert catalog().knows(gvk)
        assert [str(v) for v in validate(obj, catalog().schema(gvk))] == []
        assert unknown_fields(obj, catalog().schema(gvk)) == []


def test_the_files_can_be_applied_in_the_order_of_their_names_and_again(server: Any) -> None:
    first, second = ([server.apply(o) for f in MANIFESTS for o in objects(f)] for _ in range(2))
    assert first == second


def test_the_configuration_is_one_that_the_daemon_reads() -> None:
    config = load_config(the("ConfigMap")["data"]["config.yaml"], "config.yaml")
    assert config.state_namespace == the("Namespace", "reconciler-system")["metadata"]["name"]
    mounts = {
        m["name"]: m["mountPath"]
        for m in the("Deployment")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    }
    assert config.cache_dir == mounts["cache"]
    assert config.listen.endswith(":8080")


def test_the_daemon_runs_alone_and_without_rights_on_its_node() -> None:
    spec = the("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


# What is not simply all that a pass does.
PARTS = {
    ("", "configmaps"): None,  # some by name
    ("events.k8s.io", "events"): ["create"],
    ("coordination.k8s.io", "leases"): ["get", "create", "patch"],
    ("", "nodes"): ["list", "watch"],
    ("metrics.k8s.io", "pods"): ["list"],
    ("", "pods/eviction"): ["create"],
}


def rights(*paths: Path) -> list[tuple[tuple[str, str], list[str]]]:
    """What, and the verbs."""
    return [
        ((group, resource), rule["verbs"])
        for rule in rules_of(*paths)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    ]


def test_every_right_is_one_that_the_daemon_uses() -> None:
    """No update, no wildcard, no subresource but eviction; and nothing that grants more than it has."""
    found = rights(*(path for path in FILES if path != BUILDS))
    assert found
    for (group, resource), verbs in found:
        assert "*" not in (group, resource)
        assert not {"*", "bind", "escalate", "impersonate", "deletecollection"} & {*verbs}
        wanted = PARTS.get((group, resource), ["get", "list", "watch", "create", "patch", "delete"])
        assert verbs == (wanted or verbs), resource


def test_whoever_plans_may_read_all_that_a_plan_looks_at() -> None:
    """The daemon by watches, a review by lists."""
    plurals = {GroupKind(r.group, r.kind): (r.group, r.plural) for r in catalog().resources()}
    for path, kinds in ((DEPLOY / "manifests" / "10-access.yaml", roster.KINDS), (REVIEW, snapshot.KINDS)):
        allowed = {what for what, verbs in rights(path) if {"list", "watch"} <= {*verbs}}
        assert {plurals[kind] for kind in kinds} <= allowed


def test_builds_may_do_what_builds_need() -> None:
    """As reconciler/images/jobs.py asks."""
    rights = {(resource, verb) for rule in rules_of(BUILDS) for resource in rule["resources"] for verb in rule["verbs"]}
    jobs = {("jobs", verb) for verb in ("get", "list", "create", "delete")}
    assert rights == {*jobs, ("pods", "list"), ("pods/log", "get")}
    namespace = JobSettings(fetch_image="r/us").namespace
    assert {(obj["metadata"].get("namespace") or obj["metadata"]["name"]) for obj in objects(BUILDS)} == {namespace}


def test_the_rights_cover_all_that_documents_of_ours_become() -> None:
    rules = rules_of(DEPLOY / "tenant" / "access.yaml")
    allowed = {(group, resource) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}
    assert allowed >= {
        ("", "configmaps"),
        ("", "persistentvolumeclaims"),
        ("", "services"),
        ("apps", "deployments"),
        ("batch", "cronjobs"),
        ("batch", "jobs"),
        ("networking.k8s.io", "ingresses"),
        ("policy", "poddisruptionbudgets"),
    }


def test_rules_name_kinds_that_there_are() -> None:
    known = {(r.group, r.plural) for r in catalog().resources()} | {("metrics.k8s.io", "pods")}  # metrics-server's
    assert {(group, resource.partition("/")[0]) for (group, resource), _ in rights(*FILES)} <= known
