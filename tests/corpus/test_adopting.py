"""What kubectl made, taken over: nothing changes but whose it is, and what is dropped afterwards goes."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from corpus import BIG, LENIENT, cleared, corpus, lives, manifests, plain
from kubernetes_server import KubernetesServer
from world import World, opened

from reconciler.clock import SystemClock
from reconciler.model.change import Action, Live
from reconciler.model.manifest import MANAGER
from reconciler.model.result import Outcome
from reconciler.sandbox.http import serve
from reconciler.sandbox.kubeconfig import write_kubeconfig
from reconciler.sandbox.server import Sandbox

KUBECTL = Path(sys.executable).with_name("kubectl")
PATIENCE = 120.0  # seconds for one run of it
NEEDED = re.compile(r"^kind: (CustomResourceDefinition|Namespace)$", re.MULTILINE)
DONE = re.compile(r" (created|configured|unchanged|serverside-applied)$")
LESS = ((), ("--validate=false",))  # the sandbox does not describe Lists to kubectl
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Place(Protocol):
    """Where kubectl and the engine meet, in real time."""

    def open(self, kubeconfig: Path) -> Any: ...


class InSandbox:
    @asynccontextmanager
    async def open(self, kubeconfig: Path) -> AsyncIterator[World]:
        sandbox, clock = Sandbox(clock=SystemClock()), SystemClock()
        async with serve(sandbox, port=0) as url, opened(World(sandbox.transport, clock)) as world:
            write_kubeconfig(kubeconfig, url, namespace=world.space)
            yield world


class OnKubernetes:
    def __init__(self, server: KubernetesServer) -> None:
        self._server = server

    @asynccontextmanager
    async def open(self, kubeconfig: Path) -> AsyncIterator[World]:
        text = self._server.kubeconfig.read_text()
        async with self._server.world() as world, cleared(world):
            kubeconfig.write_text(text.replace("namespace: default", f"namespace: {world.space}"))  # noqa: ASYNC240
            yield world


@pytest.fixture(params=["sandbox", "kubernetes"])
def place(request: pytest.FixtureRequest) -> Place:
    return InSandbox() if request.param == "sandbox" else OnKubernetes(request.getfixturevalue("kubernetes"))


@pytest.mark.parametrize("way", [("apply",), ("apply", "--server-side"), ("create",)], ids=" ".join)
async def test_what_kubectl_made_is_taken_over_as_it_is_and_what_git_drops_goes(
    place: Place, way: tuple[str, ...], tmp_path: Path
) -> None:
    async with place.open(tmp_path / "kubeconfig") as w:
        files = corpus(w, first=True)
        w.source(adopt=True).commit(files)
        await kubectl_makes(w, files, tmp_path, way)
        before = await lives(w)
        assert len(before) >= 200

        result = await w.sync()
        assert {str(i): each.message for i, each in result.results.items() if each.outcome is not Outcome.DONE} == {}
        adopted = {i for i, each in result.results.items() if each.action is Action.ADOPT}
        assert adopted == before.keys()
        after = await lives(w)
        assert [(theirs(before[i]), theirs(after[i])) for i in adopted if theirs(before[i]) != theirs(after[i])] == []
        for identity in adopted:
            stated = plain(before[identity])
            if identity.kind != "Deployment" and stated == without_nulls(
                stated
            ):  # a Deployment's counts annotations too
                assert after[identity].metadata.get("generation") == before[identity].metadata.get("generation"), (
                    identity
                )
            managers = {entry["manager"] for entry in after[identity].metadata["managedFields"]}
            assert MANAGER in managers
            assert not [manager for manager in managers if manager.startswith("kubectl")], identity

        dropping = {i for i, m in (await manifests(w)).items() if "dropme" in str(m.object).lower()}
        assert len(dropping) >= 15
        w.repositories["shop"].commit(corpus(w))
        result = await w.sync()
        assert {str(i): each.message for i, each in result.results.items() if each.outcome is not Outcome.DONE} == {}
        assert {i for i, each in result.results.items() if each.action is Action.UPDATE} == dropping
        for identity, live in (await lives(w)).items():
            assert "dropme" not in str(live.object).lower(), identity


def theirs(live: Live) -> Mapping[str, Any]:
    """An object without what adopting is meant to change, and without nulls: in Git they say nothing."""
    made = dict(without_nulls(plain(live)))
    metadata = dict(made["metadata"])
    for part in ("annotations", "labels"):
        kept = metadata.get(part) or {}
        # What is asked of a claim's provisioner, and how an autoscaler fares, is written a moment after it was made.
        moment = ("volume.", "autoscaling.alpha.kubernetes.io/")
        ours = ("reconciler.dev/", "app.kubernetes.io/managed-by", LAST_APPLIED, *moment)
        metadata[part] = {key: value for key, value in kept.items() if not key.startswith(ours)}
    return {**made, "metadata": metadata}


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


async def kubectl_makes(w: World, files: Mapping[str, str], folder: Path, way: tuple[str, ...]) -> None:
    """As people do: what is too large for an annotation is created, and what others need comes first."""
    written = {path: text for path, text in files.items() if path not in (LENIENT, BIG)}
    first = "---\n".join(doc for text in written.values() for doc in text.split("---\n") if NEEDED.search(doc))
    for path, text in {**written, "first.yaml": first, "big.yaml": files[BIG]}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    await kubectl(folder, *(("create",) if way == ("apply",) else way), "-f", "big.yaml")
    await kubectl(folder, *way, "-f", "first.yaml")
    kinds = {identity.group_kind for identity in await manifests(w)}

    async def served() -> bool:
        await w.cluster.discovery.refresh()
        return kinds <= w.cluster.kinds.keys()

    await w.until(served)
    await kubectl(folder, *way, "-R", "-f", "applied", *LESS[not w.tag])


async def kubectl(folder: Path, *arguments: str) -> None:
    """Run it in `folder`, where its kubeconfig lies."""
    environment = {**os.environ, "KUBECONFIG": "kubeconfig", "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(
        str(KUBECTL), *arguments, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    failed = [line for line in said.decode().splitlines() if not DONE.search(line)]
    if arguments[0] == "create":  # what came first is there already
        failed = [line for line in failed if "(AlreadyExists)" not in line and not line.startswith("Warning: ")]
        assert failed == []
    else:
        assert process.returncode == 0, failed[:20]
