"""deploy/review: what runs there may only read, and is configured as the code wants it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reconciler.cli.main import parser
from reconciler.kube.openapi import catalog
from reconciler.planner.snapshot import KINDS
from reconciler.specs.config import load_config

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "review"


def documents() -> Iterator[dict[str, Any]]:
    for file in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


def of(kind: str) -> list[dict[str, Any]]:
    return [document for document in documents() if document["kind"] == kind]


def test_it_may_only_read_and_no_secrets() -> None:
    rules = [rule for role in (*of("Role"), *of("ClusterRole")) for rule in role["rules"]]
    assert len(rules) > 5
    for rule in rules:
        assert set(rule["verbs"]) == {"get", "list", "watch"}
        assert "secrets" not in rule["resources"]
        assert "*" not in (*rule["resources"], *rule["apiGroups"])
        assert not any("/" in resource for resource in rule["resources"])


def test_it_may_read_what_the_daemon_may_apply() -> None:
    manifests = FOLDER.parent / "manifests" / "10-access.yaml"
    (builtin,) = (
        document
        for document in yaml.safe_load_all(manifests.read_text(encoding="utf-8"))
        if document["metadata"]["name"] == "reconciler-builtin"
    )

    def resources(role: dict[str, Any]) -> set[tuple[str, str]]:
        return {(group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]}

    (ours,) = of("ClusterRole")
    missing = resources(builtin) - resources(ours)
    assert missing <= {("", "secrets"), ("events.k8s.io", "events")}


def test_it_may_read_what_its_planner_looks_at() -> None:
    builtin = {(r.group, r.kind): r.plural for r in catalog().resources()}
    (ours,) = of("ClusterRole")
    allowed = {(group, name) for rule in ours["rules"] for group in rule["apiGroups"] for name in rule["resources"]}
    assert {(kind.group, builtin[kind.group, kind.kind]) for kind in KINDS} <= allowed


def test_every_right_is_the_reviewers_alone() -> None:
    (account,) = of("ServiceAccount")
    name, namespace = account["metadata"]["name"], account["metadata"]["namespace"]
    for binding in (*of("RoleBinding"), *of("ClusterRoleBinding")):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
    (deployment,) = of("Deployment")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == name


def test_it_is_run_and_configured_as_the_code_wants_it() -> None:
    (deployment,) = of("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    args = parser().parse_args(container["args"])
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert args.config.startswith(tuple(mounts))
    (stated,) = of("ConfigMap")
    config = load_config(stated["data"]["config.yaml"], "config.yaml")
    files = [config.webhooks[0].secret_file, config.forges[0].token_file]
    assert all(str(Path(file).parent) in mounts for file in files)
    assert config.listen.endswith(f":{container['ports'][0]['containerPort']}")
    assert container["securityContext"]["readOnlyRootFilesystem"]
    (service,) = of("Service")
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_it_reaches_only_whom_it_needs() -> None:
    (policy,) = of("NetworkPolicy")
    (deployment,) = of("Deployment")
    pod = deployment["spec"]["template"]
    assert policy["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert policy["spec"]["podSelector"]["matchLabels"] == pod["metadata"]["labels"]
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    names = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= names
    for rule in policy["spec"]["egress"]:
        assert rule["ports"], "some ports, not all"
        blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer]
        assert all(block.endswith("/32") for block in blocks)
        assert blocks or {port["port"] for port in rule["ports"]} == {53}
