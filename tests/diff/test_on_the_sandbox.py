"""No false differences: what a server makes of an object when it stores it is what Git states."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.clock import SystemClock
from reconciler.diff import managers
from reconciler.diff.compare import compare
from reconciler.diff.unchanged import unchanged
from reconciler.http.transport import Request
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.openapi import catalog
from reconciler.model.change import Action, Live
from reconciler.model.manifest import MANAGER
from reconciler.sandbox.server import Sandbox

OBJECTS = list(yaml.safe_load_all((Path(__file__).parent / "awkward.yaml").read_text(encoding="utf-8")))


class Server:
    """The embedded API server, as far as applying goes."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(clock=SystemClock())

    def apply(self, obj: Mapping[str, Any]) -> Live:
        gvk = GroupVersionKind.of(obj)
        resource = catalog().resource(gvk.group_kind)
        assert resource is not None
        path = resource.path(obj["metadata"].get("namespace", ""), obj["metadata"]["name"], version=gvk.version)
        headers = {"content-type": "application/apply-patch+yaml"}
        body = json.dumps(obj).encode()
        response = self._sandbox.answer(Request("PATCH", path, (("fieldManager", "reconciler"),), headers, body))
        answer = json.loads(response.body)
        assert response.status < 300, answer["message"]
        return Live(Identity.of(answer), answer)


@pytest.fixture(scope="module")
def server() -> Server:
    made = Server()
    made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    return made


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: obj["kind"])
def test_rule_13_what_a_server_stores_is_as_git_states_it(bench: Any, server: Server, obj: dict[str, Any]) -> None:
    manifest = bench.manifest(obj)
    live = server.apply(manifest.object)
    change = compare(manifest, live, bench.schema(obj), owner=bench.owner)
    assert (change.action, change.fields) == (Action.NONE, ())


def test_a_typical_object_is_settled_by_the_quick_look(bench: Any, server: Server, deployment: Any) -> None:
    obj = deployment()
    obj["metadata"]["name"] = "typical"
    desired = bench.stamped(obj)
    live = server.apply(desired)
    applied = managers.applied(live, MANAGER)
    assert applied is not None
    assert unchanged(desired, live.object, bench.schema(desired), applied.fields)
