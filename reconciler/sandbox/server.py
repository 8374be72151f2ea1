"""An embedded Kubernetes-compatible API server: requests in, answers out, no socket and no thread.

    sandbox = Sandbox(clock=SystemClock())
    transport = sandbox.transport()        # for rooms that speak through a Transport
    async with serve(sandbox) as url: …    # for everybody else (reconciler.sandbox.http)

It starts with the four namespaces that every cluster has, no nodes and no controllers.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from reconciler.clock import Clock
from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.kube.kinds import NAMESPACE, POD
from reconciler.kube.media import JSON
from reconciler.kube.openapi import catalog
from reconciler.sandbox import content, discovery
from reconciler.sandbox.content import Accept
from reconciler.sandbox.core import Core
from reconciler.sandbox.openapi import PROTOBUF, Documents
from reconciler.sandbox.refusals import Refusal, bad_request, method_not_allowed, no_such_path
from reconciler.sandbox.registry import Registry
from reconciler.sandbox.routes import Route, parse
from reconciler.sandbox.store import HISTORY, Store
from reconciler.sandbox.verbs import create, delete, finalize, patch, pods, read, reviews, scale, update, watch, write
from reconciler.sandbox.verbs.call import Call, refuse

T = TypeVar("T")
Value = dict[str, Any]
Handler = Callable[[Call], Response]

NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
_HEALTH: Final = frozenset(("/healthz", "/livez", "/readyz"))
_JSON: Final = {"content-type": "application/json"}
_NOWHERE: Final = Response(404, {"content-type": "text/plain; charset=utf-8"}, b"404 page not found\n")

_COLLECTION: Final[Mapping[str, Handler]] = {
    "GET": read.list_,
    "POST": create.create,
    "DELETE": delete.delete_collection,
}
_OBJECT: Final[Mapping[str, Handler]] = {
    "GET": read.get,
    "PUT": update.update,
    "PATCH": patch.patch,
    "DELETE": delete.delete,
}
_STATUS: Final[Mapping[str, Handler]] = {"GET": read.get, "PUT": update.update, "PATCH": patch.patch}
_SCALE: Final[Mapping[str, Handler]] = {"GET": scale.scale, "PUT": scale.scale, "PATCH": scale.scale}
_SPECIAL: Final[Mapping[tuple[str, str], Mapping[str, Handler]]] = {
    ("pods", "binding"): {"POST": lambda call: pods.bind(call, call.name)},
    ("pods", "eviction"): {"POST": pods.evict},
    ("pods", "log"): {"GET": pods.log},
    ("serviceaccounts", "token"): {"POST": reviews.token},
    ("namespaces", "finalize"): {"PUT": finalize.finalize},
}


@dataclass(frozen=True, slots=True)
class Lines:
    """A streamed answer."""

    status: int
    headers: Mapping[str, str]
    source: AsyncIterator[bytes]

    def lines(self) -> AsyncIterator[bytes]:
        return self.source


class Sandbox:
    """See the module. `history` is the number of events kept for each resource."""

    def __init__(self, *, clock: Clock, random: random.Random | None = None, history: int = HISTORY) -> None:
        self._core = Core(
            store=Store(history=history),
            registry=Registry(catalog()),
            clock=clock,
            source=random or _seeded(),
        )
        self._documents = Documents(self._core)
        self._watches: set[watch.Watch] = set()
        for name in NAMESPACES:
            self._add_namespace(name)

    def _add_namespace(self, name: str) -> None:
        kind = self._core.registry.kind(NAMESPACE)
        assert kind is not None, "Kubernetes without namespaces"  # noqa: S101
        value: Value = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}, "spec": {}}
        write.create(self._core, kind, value, dry_run=False)

    @property
    def objects(self) -> int:
        """How many objects are stored."""
        return len(self._core.store)

    @property
    def watches(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    async def handle(self, request: Request) -> Response:
        """Answer one request that is not a watch."""
        return self.answer(request)

    def answer(self, request: Request) -> Response:
        """The same without a coroutine: nothing here waits."""
        return self._routed(request, self._whole)

    def is_stream(self, request: Request) -> bool:
        """Whether a request is to be answered by `stream`."""
        query = dict(request.query)
        if request.method != "GET":
            return False
        if query.get("watch") in ("1", "true"):
            return True
        return query.get("follow") in ("1", "true") and request.path.endswith("/log")

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        """Answer a request line by line: a watch, or any other as the lines of its body."""
        started = self._routed(request, self._opened)
        if isinstance(started, Response):
            yield Lines(started.status, started.headers, _lines_of(started.body))
            return
        try:
            headers = {"content-type": "application/json"}
            yield Lines(200, headers, started.lines())
        finally:
            started.close()
            self._watches.discard(started)

    def _whole(self, call: Call) -> Response:
        if call.request.method == "GET" and watch.wanted(call):
            raise bad_request("a watch is a stream")
        return self._handler(call)(call)

    def _opened(self, call: Call) -> Response | watch.Watch:
        if call.request.method != "GET" or not watch.wanted(call):
            return self._handler(call)(call)
        if call.route.subresource or "watch" not in call.kind.resource.verbs:
            raise method_not_allowed()
        found = watch.Watch(call)
        self._watches.add(found)
        return found

    def _routed(self, request: Request, then: Callable[[Call], T]) -> Response | T:
        """What `then` makes of a request for objects; every other request is answered here."""
        accept = content.Accept(JSON)
        try:
            if request.path == "/openapi/v2" and PROTOBUF in request.headers.get("accept", ""):
                return self._documents.answer(request)
            accept = content.accept(request.headers.get("accept", ""))
            route = parse(request.path)
            if route is None:
                return self._elsewhere(request, accept)
            if not self._core.registry.serves(route.group, route.version):
                return _NOWHERE
            return then(self._call(request, route, accept))
        except Refusal as refusal:
            return refuse(refusal, accept)

    def close(self) -> None:
        """End all watches."""
        for found in list(self._watches):
            found.close()
        self._watches.clear()

    def transport(self) -> Transport:
        """A Transport to this server without a socket."""
        return _InProcess(self)

    def _call(self, request: Request, route: Route, accept: Accept) -> Call:
        registry = self._core.registry
        kind = registry.find(route.group, route.version, route.plural)
        if kind is None:
            raise no_such_path()
        if kind.namespaced and not route.namespace and route.name:
            raise no_such_path()
        if not kind.namespaced and route.namespace:
            raise no_such_path()
        return Call(self._core, request, route, kind, dict(request.query), accept)

    def _handler(self, call: Call) -> Handler:
        """What answers a call. Raises Refusal (404, 405)."""
        route, method = call.route, call.request.method
        if not route.group and route.plural == "bindings" and method == "POST" and not route.name:
            return _bind_by_body
        if call.kind.group_kind in reviews.REVIEWS:
            handlers: Mapping[str, Handler] = {"POST": reviews.review}
        elif not route.name:
            handlers = _COLLECTION
            if call.kind.namespaced and not route.namespace and method != "GET":
                raise method_not_allowed()
        elif not route.subresource:
            handlers = _OBJECT
        else:
            handlers = self._subresource(call)
        handler = handlers.get(method)
        if handler is None:
            raise method_not_allowed()
        return handler

    def _subresource(self, call: Call) -> Mapping[str, Handler]:
        name = call.route.subresource
        if name not in call.kind.subresources:
            raise no_such_path()
        if name == "status":
            return _STATUS
        if name == "scale":
            return _SCALE
        found = _SPECIAL.get((call.kind.plural, name))
        if found is None or call.kind.custom:
            raise no_such_path()
        return found

    def _elsewhere(self, request: Request, accept: Accept) -> Response:
        """Paths that are not resources."""
        path = request.path.rstrip("/") or "/"
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        if path in _HEALTH or path.startswith(("/livez/", "/readyz/")):
            return Response(200, {"content-type": "text/plain; charset=utf-8"}, b"ok")
        if path == "/version":
            return Response(200, _JSON, msgspec.json.encode(self._version()))
        if path == "/":
            return Response(200, _JSON, msgspec.json.encode({"paths": self._paths()}))
        if path.startswith("/openapi/"):
            return self._documents.answer(request)
        found = self._discovery(path, accept)
        if found is None:
            return _NOWHERE
        wants_all = accept.shape == "APIGroupDiscoveryList" and path in ("/api", "/apis")
        content_type = accept.content_type if wants_all else accept.media
        return Response(200, {"content-type": content_type}, content.encode(found, accept.media))

    def _discovery(self, path: str, accept: Accept) -> Value | None:
        registry = self._core.registry
        parts = path.strip("/").split("/")
        if path in ("/api", "/apis") and accept.shape == "APIGroupDiscoveryList":
            return discovery.aggregated(registry, core=path == "/api")
        match parts:
            case ["api"]:
                return discovery.api_versions()
            case ["api", version]:
                return discovery.resource_list(registry, "", version)
            case ["apis"]:
                return discovery.group_list(registry)
            case ["apis", group]:
                return discovery.group(registry, group)
            case ["apis", group, version]:
                return discovery.resource_list(registry, group, version)
        return None

    def _version(self) -> Value:
        text = self._core.registry.catalog.version.removeprefix("v")
        major, minor = [*text.split("."), "0"][:2]
        return {
            "major": major,
            "minor": minor,
            "gitVersion": f"v{text}+sandbox",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "",
            "platform": "linux/amd64",
        }

    def _paths(self) -> list[str]:
        registry = self._core.registry
        found = ["/api", "/api/v1", "/apis", *sorted(_HEALTH), "/openapi/v2", "/openapi/v3", "/version"]
        for group, versions in registry.groups().items():
            if group:
                found += [f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions)]
        return sorted(found)


def _seeded() -> random.Random:
    return random.Random(0)  # noqa: S311


def _bind_by_body(call: Call) -> Response:
    """POST to a namespace's `bindings`: the pod is named in the body."""
    body = call.body()
    name = ((body or {}).get("metadata") or {}).get("name", "")
    kind = call.core.registry.kind(POD)
    if kind is None:
        raise no_such_path()
    return pods.bind(Call(call.core, call.request, call.route, kind, call.query, call.accept), name)


async def _lines_of(body: bytes) -> AsyncIterator[bytes]:
    for line in body.splitlines():
        yield line


class _InProcess:
    """The Transport of a Sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._closed = False

    async def send(self, request: Request) -> Response:
        self._check()
        return self._sandbox.answer(request)

    def stream(self, request: Request) -> Any:
        self._check()
        return self._sandbox.stream(request)

    async def close(self) -> None:
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise TransportError("the transport is closed")
