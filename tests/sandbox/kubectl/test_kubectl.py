"""What people type, and what they read."""

import json
import re
from typing import Any

import pytest
from sandbox_api import config_map

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - {{name: web, image: "nginx:{tag}", ports: [{{containerPort: 80}}]}}
"""


def manifest(name: str, tag: str = "1") -> str:
    return MANIFEST.format(name=name, tag=tag)


@pytest.fixture
def rolled(kubectl: Any) -> str:
    """A deployment that has rolled out."""
    if kubectl.run("get", "deployment", "rolled").returncode:
        kubectl("apply", "-f", "-", stdin=manifest("rolled"))
        kubectl("rollout", "status", "deployment/rolled", "--timeout=30s")
    return "rolled"


def row(table: str, name: str) -> list[str]:
    """The cells of a line of a table."""
    (line,) = [line for line in table.splitlines() if line.startswith(name)]
    return re.split(r"\s{2,}", line.strip())


def test_get_shows_the_columns_that_people_know(kubectl: Any, rolled: str) -> None:
    table = kubectl("get", "deployment", rolled)
    assert table.splitlines()[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row(table, rolled)[:4] == [rolled, "2/2", "2", "2"]
    pods = kubectl("get", "pods", "-l", f"app={rolled}")
    assert pods.splitlines()[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [line.split()[1:4] for line in pods.splitlines()[1:]] == [["1/1", "Running", "0"]] * 2
    wide = kubectl("get", "pods", "-l", f"app={rolled}", "-o", "wide").splitlines()[0].split()
    assert wide[5:7] == ["IP", "NODE"]
    assert {line.split()[1] for line in kubectl("get", "nodes").splitlines()[1:]} == {"Ready"}


def test_get_in_other_forms(kubectl: Any, rolled: str) -> None:
    assert json.loads(kubectl("get", "deploy", rolled, "-o", "json"))["spec"]["replicas"] == 2
    assert kubectl("get", "deploy", rolled, "-o", "jsonpath={.status.readyReplicas}") == "2"
    assert f"deployment.apps/{rolled}" in kubectl("get", "all", "-o", "name").splitlines()
    missing = kubectl.run("get", "deploy", "nowhere")
    assert missing.stderr == 'Error from server (NotFound): deployments.apps "nowhere" not found\n'


def test_describe_tells_what_an_object_is_and_what_happened_to_it(kubectl: Any, rolled: str) -> None:
    told = kubectl("describe", "deployment", rolled)
    assert re.search(r"Replicas:\s+2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable", told)
    assert re.search(r"Image:\s+nginx:1", told)
    assert re.search(r"Normal\s+ScalingReplicaSet.*Scaled up replica set", told)
    pod = kubectl("get", "pods", "-l", f"app={rolled}", "-o", "name").splitlines()[0]
    told = kubectl("describe", pod)
    assert re.search(r"Status:\s+Running", told)
    assert re.search(r"Normal\s+Scheduled.*Successfully assigned", told)


def test_apply_creates_changes_and_leaves_alone(kubectl: Any) -> None:
    assert kubectl("apply", "-f", "-", stdin=manifest("applied")) == "deployment.apps/applied created\n"
    assert kubectl("apply", "-f", "-", stdin=manifest("applied")) == "deployment.apps/applied unchanged\n"
    assert kubectl("apply", "-f", "-", stdin=manifest("applied", "2")) == "deployment.apps/applied configured\n"
    assert kubectl("get", "deploy", "applied", "-o", "jsonpath={..image}") == "nginx:2"


def test_a_list_is_applied_item_by_item(kubectl: Any) -> None:
    items = [config_map("first", {"a": "1"}), config_map("second", {"a": "1"})]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    assert kubectl.run("apply", "-f", "-", stdin=listed).stdout == "configmap/first created\nconfigmap/second created\n"
    wrong = listed.replace('"data"', '"dada"')
    assert 'unknown field "dada"' in kubectl.run("apply", "-f", "-", stdin=wrong).stderr


def test_server_side_apply_names_the_conflict(kubectl: Any) -> None:
    done = kubectl("apply", "--server-side", "-f", "-", stdin=manifest("sided"))
    assert done == "deployment.apps/sided serverside-applied\n"
    kubectl("set", "image", "deployment/sided", "web=nginx:9")
    refused = kubectl.run("apply", "--server-side", "-f", "-", stdin=manifest("sided"))
    assert refused.returncode == 1
    assert (
        'conflict with "kubectl-set" using apps/v1: .spec.template.spec.containers[name="web"].image' in refused.stderr
    )
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest("sided"))
    assert kubectl("get", "deploy", "sided", "-o", "jsonpath={..image}") == "nginx:1"


def test_diff_shows_only_what_would_change(kubectl: Any, rolled: str) -> None:
    assert kubectl("diff", "-f", "-", stdin=manifest(rolled)) == ""
    changed = kubectl.run("diff", "-f", "-", stdin=manifest(rolled, "2"))
    assert changed.returncode == 1
    lines = [line for line in changed.stdout.splitlines() if re.match(r"[-+] ", line)]
    assert [line for line in lines if "generation" not in line] == [
        "-      - image: nginx:1",
        "+      - image: nginx:2",
    ]


def test_patch(kubectl: Any) -> None:
    kubectl("create", "configmap", "patched", "--from-literal=a=1")
    assert kubectl("patch", "configmap", "patched", "-p", '{"data":{"b":"2"}}') == "configmap/patched patched\n"
    kubectl("patch", "configmap", "patched", "--type=json", "-p", '[{"op":"remove","path":"/data/a"}]')
    assert json.loads(kubectl("get", "configmap", "patched", "-o", "json"))["data"] == {"b": "2"}


def test_scale_and_wait(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("scaled"))
    assert kubectl("scale", "deployment/scaled", "--replicas=3") == "deployment.apps/scaled scaled\n"
    wanted = "--for=jsonpath={.status.readyReplicas}=3"
    assert kubectl("wait", "deployment/scaled", wanted, "--timeout=30s") == "deployment.apps/scaled condition met\n"
    kubectl("wait", "deployment/scaled", "--for=condition=Available", "--timeout=30s")


def test_rollout_status_restart_and_history(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("turned"))
    assert kubectl("rollout", "status", "deployment/turned", "--timeout=30s").splitlines()[-1] == (
        'deployment "turned" successfully rolled out'
    )
    assert kubectl("rollout", "restart", "deployment/turned") == "deployment.apps/turned restarted\n"
    kubectl("rollout", "status", "deployment/turned", "--timeout=30s")
    history = kubectl("rollout", "history", "deployment/turned")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]


def test_logs_are_lines_that_the_container_would_write(kubectl: Any, rolled: str) -> None:
    assert kubectl("logs", f"deployment/{rolled}").splitlines()[0] == "web: started, image nginx:1"


def test_delete_waits_until_it_is_gone(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("doomed"))
    assert kubectl("delete", "deployment", "doomed", "--timeout=30s").startswith('deployment.apps "doomed" deleted')
    assert kubectl.run("get", "deployment", "doomed").returncode == 1
    kubectl("wait", "pods", "-l", "app=doomed", "--for=delete", "--timeout=30s")
    assert kubectl("get", "pods", "-l", "app=doomed", "-o", "name") == ""


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Any) -> None:
    kubectl("create", "namespace", "passing")
    kubectl("create", "configmap", "inside", "--from-literal=a=1", "-n", "passing")
    kubectl("delete", "namespace", "passing", "--timeout=30s")
    assert "not found" in kubectl.run("get", "configmap", "inside", "-n", "passing").stderr


def test_explain_knows_built_in_kinds_and_definitions(kubectl: Any) -> None:
    told = kubectl("explain", "deployment.spec.replicas")
    assert "GROUP:      apps" in told
    assert "FIELD: replicas <integer>" in told


def test_a_typing_error_is_refused_before_it_is_stored(kubectl: Any) -> None:
    wrong = manifest("wrong").replace("replicas", "replica")
    refused = kubectl.run("apply", "-f", "-", stdin=wrong)
    assert refused.returncode == 1
    assert 'unknown field "spec.replica"' in refused.stderr
