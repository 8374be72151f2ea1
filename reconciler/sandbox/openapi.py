"""`/openapi/v2` and `/openapi/v3`: made when first asked for, kept until a CustomResourceDefinition changes."""

import hashlib
from typing import Any, Final

import msgspec

from reconciler.http.transport import Request, Response
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.openapi_document import document_v2, document_v3, groups_v3
from reconciler.sandbox.core import Core
from reconciler.sandbox.refusals import no_such_path

Value = dict[str, Any]

_JSON = {"content-type": "application/json"}
PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_NOTHING: Final = b"\n\x032.0\x12\x11\n\nKubernetes\x12\x03v1.B\x00J\x00"
"""swagger 2.0, a title, a version, no paths and no definitions, as protobuf.

kubectl asks for it before it applies a List, whose items it would check itself. What is not in it, it leaves to the
server, and that checks each item as strictly.
"""


class Documents:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._made: dict[str, bytes] = {}
        self._generation = -1

    def answer(self, request: Request) -> Response:
        """Raises Refusal (404)."""
        registry = self._core.registry
        if self._generation != registry.generation:
            self._made.clear()
            self._generation = registry.generation
        path = request.path.removeprefix("/openapi/").strip("/")
        if path == "v2" and PROTOBUF in request.headers.get("accept", ""):
            return Response(200, {"content-type": PROTOBUF.replace("@", ".")}, _NOTHING)  # no media type has an @
        if path == "v2":
            return self._respond(path, lambda: document_v2(registry.catalog, self._crds()))
        if path == "v3":
            return self._respond(path, self._index)
        part = path.removeprefix("v3/")
        if part not in self._parts():
            raise no_such_path()
        group, _, version = part.removeprefix("apis/").removeprefix("api/").rpartition("/")
        return self._respond(path, lambda: document_v3(registry.catalog, group, version, self._crds()))

    def _respond(self, key: str, make: Any) -> Response:
        if key not in self._made:
            self._made[key] = msgspec.json.encode(make())
        return Response(200, _JSON, self._made[key])

    def _crds(self) -> list[Value]:
        kind = self._core.registry.kind(DEFINITION)
        if kind is None:
            return []
        return [self._core.read(entry, kind) for entry in self._core.store.range(DEFINITION)]

    def _parts(self) -> list[str]:
        served = {
            f"apis/{group}/{version}" if group else f"api/{version}"
            for group, versions in self._core.registry.groups().items()
            for version in versions
        }
        return [part for part in groups_v3(self._core.registry.catalog, self._crds()) if part in served]

    def _index(self) -> Value:
        state = hashlib.sha256(f"{self._core.registry.catalog.version} {self._generation}".encode()).hexdigest().upper()
        return {"paths": {part: {"serverRelativeURL": f"/openapi/v3/{part}?hash={state}"} for part in self._parts()}}
