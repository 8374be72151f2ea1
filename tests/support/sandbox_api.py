"""A sandbox without a socket, a short way to ask it, and small objects to give it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from reconciler.http.transport import Request, Response
from reconciler.sandbox.server import Sandbox

Object = dict[str, Any]

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class StillClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Answer:
    """A status and a body, read as JSON where it is JSON."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.body.decode()
        json_text = "json" in response.headers.get("content-type", "") and not self.text.startswith('{"type":')
        self.body: Any = json.loads(response.body) if json_text else None  # a watch is lines of it

    @property
    def reason(self) -> str:
        return self.body.get("reason", "")

    @property
    def fields(self) -> list[str]:
        """The fields that a refusal names."""
        return [cause["field"] for cause in (self.body.get("details") or {}).get("causes") or ()]


class Api:
    def __init__(self, *, history: int = 5_000) -> None:
        self.clock = StillClock()
        self.sandbox = Sandbox(clock=self.clock, random=Random(1), history=history)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Answer:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": media, "user-agent": "test/1.0", **(headers or {})}
        return Answer(self.sandbox.answer(Request(method, path, tuple(query.items()), sent, data)))

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        return self.call("PUT", path, body, **query)

    def patch(self, path: str, body: Any, media: str = MERGE, **query: Any) -> Answer:
        return self.call("PATCH", path, body, media=media, **query)

    def apply(self, path: str, body: Any, manager: str = "tool", **query: Any) -> Answer:
        return self.call("PATCH", path, body, media=APPLY, fieldManager=manager, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.call("DELETE", path, body, **query)

    def watch(self, path: str, **query: str) -> list[Any]:
        """The events of a watch that ends after a second."""
        asked = {"watch": "1", "timeoutSeconds": "1", **query}
        request = Request("GET", path, tuple(asked.items()), {"user-agent": "test/1.0"})

        async def lines() -> list[Any]:
            async with self.sandbox.stream(request) as stream:
                return [json.loads(line) async for line in stream.lines()]

        return asyncio.run(lines())

    def names(self, path: str, **query: Any) -> list[str]:
        return [item["metadata"]["name"] for item in self.get(path, **query).body["items"]]


def deployment(name: str = "web", **metadata: Any) -> Object:
    containers = [{"name": "main", "image": "nginx:1.27"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
        },
    }


def config_map(name: str = "settings", data: Mapping[str, str] | None = None, **metadata: Any) -> Object:
    found: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return {**found, "data": dict(data)} if data is not None else found


def pod(name: str = "one", **spec: Any) -> Object:
    containers = [{"name": "main", "image": "busybox"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": containers, **spec},
    }


def service(name: str = "web", **spec: Any) -> Object:
    stated = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": stated}


def definition(schema: Object | None = None, **version: Any) -> Object:
    """A CustomResourceDefinition of Widgets in shop.example.com/v1."""
    properties = schema or {"spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}}
    versions = [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
            **version,
        }
    ]
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.shop.example.com"},
        "spec": {"group": "shop.example.com", "scope": "Namespaced", "names": names, "versions": versions},
    }


WIDGETS = "/apis/shop.example.com/v1/namespaces/default/widgets"


def widget(name: str = "one", spec: Object | None = None, **more: Any) -> Object:
    return {
        "apiVersion": "shop.example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": spec if spec is not None else {},
        **more,
    }
