"""Specs from YAML text, without a repository: what a loader would hand over, built by hand."""

import hashlib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
import yaml

from reconciler.clock import LoopClock, SystemClock
from reconciler.http.transport import Request
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.openapi import catalog
from reconciler.model.filled import NOTHING, Filling
from reconciler.model.manifest import DriftMode, Manifest, Manifests, Owner
from reconciler.model.snapshot import Revision
from reconciler.model.spec import (
    API_VERSION,
    DeploymentSpec,
    Document,
    ImageSpec,
    MountedFile,
    ObjectSpec,
    Origin,
    Specs,
    TaskSpec,
)
from reconciler.render.render import Renderer
from reconciler.render.surroundings import Pools
from reconciler.sandbox.server import Sandbox

KINDS: dict[str, Any] = {"Deployment": DeploymentSpec, "Image": ImageSpec, "Task": TaskSpec}
OWNER = Owner("install-1", "shop")


def document_of(obj: dict[str, Any], *, path: str, line: int, text: str, files: Mapping[str, bytes]) -> Document:
    """`files`: path in the repository → content; a folder mounts what is below it."""
    identity = Identity.of(obj)
    metadata = obj["metadata"]
    mounted: list[MountedFile] = []
    spec: Any = ObjectSpec(obj)
    if obj["apiVersion"] == API_VERSION:
        spec = msgspec.convert(obj["spec"], KINDS[obj["kind"]])
        for mount, source in getattr(spec, "files", {}).items():
            for name, content in sorted(files.items()):
                if name == source:
                    folder, _, key = mount.rpartition("/")
                    mounted.append(MountedFile(folder, key, hashlib.sha1(content).hexdigest(), content))
                elif name.startswith(f"{source}/"):
                    folder, _, key = f"{mount}{name.removeprefix(source)}".rpartition("/")
                    mounted.append(MountedFile(folder, key, hashlib.sha1(content).hexdigest(), content))
    digest = hashlib.sha256(repr((obj, mounted, [m.content for m in mounted])).encode()).hexdigest()
    return Document(
        identity,
        Origin(path, line, hashlib.sha256(text.encode()).hexdigest()[:16]),
        spec,
        metadata.get("labels", {}),
        metadata.get("annotations", {}),
        digest,
        tuple(mounted),
    )


def specs_of(
    text: str,
    *,
    path: str = "shop.yaml",
    files: Mapping[str, bytes] | None = None,
    quarantined: frozenset[Identity] = frozenset(),
) -> Specs:
    documents = {}
    line = 1
    for part in text.split("\n---\n"):
        obj = yaml.safe_load(part)
        document = document_of(obj, path=path, line=line, text=part, files=files or {})
        documents[document.identity] = document
        line += part.count("\n") + 2
    revision = Revision("0" * 40, "main", "A Person <a@example.com>", LoopClock()._start, "a commit")
    return Specs("shop", revision, documents, quarantined=quarantined)


def render_specs(specs: Specs, renderer: Renderer | None = None, **settings: Any) -> Manifests:
    arguments: dict[str, Any] = {"owner": OWNER, "adopt": False, "drift": DriftMode.HEAL, **settings}
    return (renderer or Renderer()).render(specs, **arguments)


class Rendered:
    """The manifests of a text, by "Kind/name"."""

    def __init__(self, manifests: Manifests) -> None:
        self.manifests = manifests
        self.problems = manifests.problems

    def names(self) -> list[str]:
        return [f"{i.kind}/{i.name}" for i in self.manifests.items]

    def manifest(self, name: str) -> Manifest:
        """A name may leave out the hash at its end."""
        kind, _, wanted = name.partition("/")
        found = [m for i, m in self.manifests.items.items() if i.kind == kind and i.name.startswith(wanted)]
        exact = [m for m in found if m.identity.name == wanted] or found
        assert len(exact) == 1, f"{name} is not one of {self.names()}: {self.problems}"
        return exact[0]

    def object(self, name: str) -> Any:
        return self.manifest(name).object

    def spec(self, name: str) -> Any:
        return self.object(name)["spec"]

    def pod(self, name: str) -> Any:
        spec = self.spec(name)
        return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]

    def container(self, name: str) -> Any:
        return self.pod(name)["containers"][0]

    def waits(self, name: str) -> list[str]:
        return [f"{i.kind}/{i.name}" for i in self.manifest(name).depends_on]

    def after(self, name: str) -> list[str]:
        return [f"{i.kind}/{i.name}" for i in self.manifest(name).after]


class Server:
    """The embedded API server, as far as applying goes."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(clock=SystemClock())

    def apply(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """The object as the server has it then; the server's words where it refuses."""
        gvk = GroupVersionKind.of(obj)
        resource = catalog().resource(gvk.group_kind)
        assert resource is not None
        path = resource.path(obj["metadata"].get("namespace", ""), obj["metadata"]["name"], version=gvk.version)
        headers = {"content-type": "application/apply-patch+yaml"}
        query = (("fieldManager", "reconciler"),)
        response = self._sandbox.answer(Request("PATCH", path, query, headers, json.dumps(obj).encode()))
        answer: dict[str, Any] = json.loads(response.body)
        assert response.status < 300, answer["message"]
        return answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(scope="session")
def specs() -> Callable[..., Specs]:
    return specs_of


@pytest.fixture(scope="session")
def manifests() -> Callable[..., Manifests]:
    return render_specs


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    """`render(text, files=…, quarantined=…, pools=…, filling=…)`."""

    def rendered(
        text: str, *, pools: Pools = MappingProxyType({}), filling: Filling = NOTHING, **options: Any
    ) -> Rendered:
        return Rendered(render_specs(specs_of(text, **options), filling=filling, pools=pools))

    return rendered


@pytest.fixture(scope="session")
def good(render: Callable[..., Rendered]) -> Callable[..., Rendered]:
    """Like `render`, for what must have no problem."""

    def rendered(text: str, **options: Any) -> Rendered:
        found = render(text, **options)
        assert not found.problems
        return found

    return rendered
