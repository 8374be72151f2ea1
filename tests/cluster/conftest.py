"""An API server for tests that fails on purpose, in virtual time. It keeps ConfigMaps and says no more than it must."""

import asyncio
import base64
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from urllib.parse import unquote

import pytest

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import MANAGED, Cluster
from reconciler.cluster.traffic import kind_of
from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response
from reconciler.kube.names import GroupKind, Identity
from reconciler.kube.patch import json_patch
from reconciler.kube.selector import LabelSelector

Outcome = Response | Exception | list[bytes]  # lines: a watch that says these and ends

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def status(code: int, reason: str = "", message: str = "", **headers: str) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return Response(code, headers, json.dumps({**body, "message": message or f"{code} {reason}"}).encode())


class _Lines:
    def __init__(self, code: int, lines: AsyncIterator[bytes]) -> None:
        self.status = code
        self.headers: Mapping[str, str] = {}
        self._lines = lines

    def lines(self) -> AsyncIterator[bytes]:
        return self._lines


class ScriptedServer:
    """A Transport. `fail` queues outcomes for the next requests of a verb (None: a good answer)."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.resources: list[tuple[str, str, str, bool]] = [("", "ConfigMap", "configmaps", True)]
        self.aggregated = True
        self.missing_namespaces: set[str] = set()
        self.sent: list[Request] = []
        self.compacted = 0
        self._version = itertools.count(2)
        self._now = 1
        self._log: list[tuple[int, str, dict[str, Any]]] = []
        self._faults: dict[str, deque[Outcome | None]] = {}
        self._always: dict[str, Outcome] = {}
        self._streams: dict[int, deque[bytes | None]] = {}
        self._scopes: dict[int, tuple[LabelSelector, str]] = {}
        self._news = asyncio.Event()

    # -- what a test does

    def fail(self, verb: str, *outcomes: Outcome | None) -> None:
        self._faults.setdefault(verb, deque()).extend(outcomes)

    def always(self, verb: str, outcome: Outcome | None) -> None:
        if outcome is None:
            self._always.pop(verb, None)
        else:
            self._always[verb] = outcome

    def heal(self) -> None:
        self._faults.clear()
        self._always.clear()

    def put(
        self, name: str, value: str = "", *, namespace: str = "shop", labels: Mapping[str, str] | None = None
    ) -> int:
        marks = {"app.kubernetes.io/managed-by": "reconciler", "reconciler.dev/source": "shop"}
        return self._store(
            {
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "uid": f"uid-{name}",
                    "labels": marks if labels is None else dict(labels),
                },
                "data": {"value": value},
            }
        )

    def drop(self, name: str, *, namespace: str = "shop") -> None:
        if obj := self.objects.pop((namespace, name), None):
            self._now = next(self._version)
            self._say("DELETED", {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._now)}})

    def inject(self, line: bytes) -> None:
        """Have every open watch say `line`."""
        for stream in self._streams.values():
            stream.append(line)
        self._wake()

    def cut(self) -> None:
        """End every open watch."""
        for stream in self._streams.values():
            stream.append(None)
        self._wake()

    def compact(self) -> None:
        """Forget the past: watching from before now is answered 410."""
        self.compacted = self._now = next(self._version)

    def seen(self, verb: str) -> int:
        return sum(kind_of(request, 0).verb == verb for request in self.sent)

    # -- the Transport

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        await asyncio.sleep(0)
        verb = kind_of(request, 0).verb
        fault = self._fault(verb)
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, Response):
            return fault
        return self._answer(verb, request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[_Lines]:
        self.sent.append(request)
        await asyncio.sleep(0)
        fault = self._fault("watch")
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, Response):
            yield _Lines(fault.status, _given([fault.body]))
        elif isinstance(fault, list):
            yield _Lines(200, _given(fault))
        elif self._since(request) < self.compacted:
            yield _Lines(410, _given([status(410, "Expired").body]))
        else:
            key = len(self.sent)
            self._scopes[key] = (_selector(request), _namespace(request))
            self._streams[key] = deque(
                line for version, line in self._events(request) if version > self._since(request)
            )
            try:
                yield _Lines(200, self._said(key))
            finally:
                self._streams.pop(key, None)

    async def close(self) -> None:
        self.cut()

    # -- the server

    def _fault(self, verb: str) -> Outcome | None:
        queue = self._faults.get(verb)
        return queue.popleft() if queue else self._always.get(verb)

    def _store(self, obj: dict[str, Any]) -> int:
        meta = obj["metadata"]
        key = (meta["namespace"], meta["name"])
        kind = "MODIFIED" if key in self.objects else "ADDED"
        self._now = next(self._version)
        self.objects[key] = {**obj, "metadata": {**meta, "resourceVersion": str(self._now)}}
        self._say(kind, self.objects[key])
        return self._now

    def _say(self, kind: str, obj: dict[str, Any]) -> None:
        self._log.append((self._now, kind, obj))
        for key, stream in self._streams.items():
            selector, namespace = self._scopes[key]
            if line := _event(kind, obj, selector, namespace):
                stream.append(line)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _said(self, key: int) -> AsyncIterator[bytes]:
        while True:
            stream = self._streams[key]
            while stream:
                line = stream.popleft()
                if line is None:
                    return
                yield line
            await self._news.wait()

    def _events(self, request: Request) -> list[tuple[int, bytes]]:
        found = []
        for version, kind, obj in self._log:
            if line := _event(kind, obj, _selector(request), _namespace(request)):
                found.append((version, line))
        return found

    def _since(self, request: Request) -> int:
        return int(dict(request.query).get("resourceVersion") or 0)

    def _answer(self, verb: str, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if kind_of(request, 0).resource == "discovery":
            return self._discovery(request)
        if (namespace := _namespace(request)) in self.missing_namespaces and verb in ("create", "apply"):
            return status(404, "NotFound", f'namespaces "{namespace}" not found')
        if not any(plural in parts for _, _, plural, _ in self.resources):
            return Response(404, {}, b"404 page not found\n")
        if verb == "list":
            return self._list(request)
        key = (namespace, unquote(parts[-1]))
        if verb == "create":
            return self._create(json.loads(request.body))
        live = self.objects.get(key)
        if live is None and verb != "apply":
            return status(404, "NotFound", f'configmaps "{key[1]}" not found')
        if verb == "get":
            return _ok(live)
        if verb == "delete":
            return self._delete(live, json.loads(request.body or b"{}"))
        if "dryRun" in dict(request.query):
            return _ok(json.loads(request.body))
        if verb == "patch":
            return self._write(verb, live, json_patch(live, json.loads(request.body)))
        return self._write(verb, live, json.loads(request.body))

    def _create(self, obj: dict[str, Any]) -> Response:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        if key in self.objects:
            return status(409, "AlreadyExists")
        self._store(obj)
        return Response(201, {}, _ok(self.objects[key]).body)

    def _write(self, verb: str, live: dict[str, Any] | None, obj: dict[str, Any]) -> Response:
        meta = obj["metadata"]
        old = live["metadata"] if live else {}
        if verb == "update" and meta.get("resourceVersion") not in (None, old.get("resourceVersion")):
            return status(409, "Conflict")
        self._store({**obj, "metadata": {"uid": f"uid-{meta['name']}", **meta}})
        return _ok(self.objects[meta["namespace"], meta["name"]])

    def _delete(self, live: dict[str, Any], options: dict[str, Any]) -> Response:
        wanted = options.get("preconditions") or {}
        meta = live["metadata"]
        if wanted.get("uid", meta.get("uid")) != meta.get("uid"):
            return status(409, "Conflict")
        if wanted.get("resourceVersion", meta["resourceVersion"]) != meta["resourceVersion"]:
            return status(409, "Conflict")
        self.drop(meta["name"], namespace=meta["namespace"])
        return _ok({"kind": "Status", "status": "Success"})

    def _list(self, request: Request) -> Response:
        query = dict(request.query)
        selector, namespace = _selector(request), _namespace(request)
        every = [
            obj
            for (where, _), obj in sorted(self.objects.items())
            if namespace in ("", where) and selector.matches(obj["metadata"].get("labels") or {})
        ]
        start, version = 0, self._now
        if token := query.get("continue"):
            version, start = json.loads(base64.b64decode(token))
            if version < self.compacted:
                return status(410, "Expired")
        limit = int(query.get("limit") or 0) or len(every)
        meta = {"resourceVersion": str(version)}
        if start + limit < len(every):
            meta["continue"] = base64.b64encode(json.dumps([version, start + limit]).encode()).decode()
        return _ok({"kind": "ConfigMapList", "metadata": meta, "items": every[start : start + limit]})

    def _discovery(self, request: Request) -> Response:
        root, *rest = request.path.strip("/").split("/")
        if self.aggregated:
            groups = sorted({group for group, *_ in self.resources if bool(group) == (root == "apis")})
            return _ok({"kind": "APIGroupDiscoveryList", "items": [self._group(group) for group in groups]})
        if root == "api" and not rest:
            return _ok({"kind": "APIVersions", "versions": ["v1"]})
        if root == "apis" and not rest:
            groups = sorted({group for group, *_ in self.resources if group})
            versions = [{"version": "v1"}]
            listed = [{"name": g, "versions": versions, "preferredVersion": versions[0]} for g in groups]
            return _ok({"kind": "APIGroupList", "groups": listed})
        group = rest[0] if root == "apis" else ""
        if group.startswith("broken"):
            return status(503, "ServiceUnavailable")
        listed = [
            {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": VERBS}
            for g, kind, plural, namespaced in self.resources
            if g == group
        ]
        return _ok(
            {"kind": "APIResourceList", "resources": [*listed, {"name": "a/status", "kind": "A", "namespaced": True}]}
        )

    def _group(self, group: str) -> dict[str, Any]:
        served = [
            {
                "resource": plural,
                "responseKind": {"group": group, "version": "v1", "kind": kind},
                "scope": "Namespaced" if namespaced else "Cluster",
                "verbs": VERBS,
            }
            for g, kind, plural, namespaced in self.resources
            if g == group
        ]
        return {"metadata": {"name": group}, "versions": [{"version": "v1", "resources": served}]}


def _ok(body: Any) -> Response:
    return Response(200, {}, json.dumps(body).encode())


async def _given(lines: list[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


def _selector(request: Request) -> LabelSelector:
    return LabelSelector.parse(dict(request.query).get("labelSelector", ""))


def _namespace(request: Request) -> str:
    parts = request.path.split("/")
    return unquote(parts[parts.index("namespaces") + 1]) if "namespaces" in parts else ""


def _event(kind: str, obj: dict[str, Any], selector: LabelSelector, namespace: str) -> bytes | None:
    meta = obj["metadata"]
    if namespace not in ("", meta["namespace"]):
        return None
    if not selector.matches(meta.get("labels") or {}):  # it may have left the selection
        kind = "DELETED"
    return json.dumps({"type": kind, "object": obj}).encode()


CONFIG_MAP = GroupKind("", "ConfigMap")


@pytest.fixture(scope="session")
def scripted() -> type[ScriptedServer]:
    """Made within the event loop that uses it."""
    return ScriptedServer


@pytest.fixture(scope="session")
def failure() -> Callable[..., Response]:
    return status


@pytest.fixture(scope="session")
def lost() -> TransportError:
    return TransportError("no usable answer", why="no answer within 30 s")


@pytest.fixture(scope="session")
def cluster_on() -> Callable[[Any], Cluster]:
    def make(transport: Any) -> Cluster:
        return Cluster(transport, clock=LoopClock(), random=Random(7))

    return make


@pytest.fixture(scope="session")
def truth() -> Callable[[ScriptedServer, Cluster], None]:
    """Asserts that the cache is what the server has under our label."""

    def check(server: ScriptedServer, cluster: Cluster) -> None:
        selector = LabelSelector.parse(MANAGED)
        there = {
            Identity("", "ConfigMap", namespace, name): (obj["metadata"]["resourceVersion"], obj["data"])
            for (namespace, name), obj in server.objects.items()
            if selector.matches(obj["metadata"].get("labels") or {})
        }
        cached = {
            identity: (live.resource_version, live.object["data"])
            for identity in cluster.cache.of_kind(CONFIG_MAP)
            if (live := cluster.cache.get(identity))
        }
        assert cached == there

    return check
