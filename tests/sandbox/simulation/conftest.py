"""A whole simulated cluster in virtual time."""

import copy
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from reconciler.clock import LoopClock, run_virtual
from reconciler.errors import NotFound
from reconciler.sandbox.client import (
    NAMESPACES,
    PODS,
    Client,
    Key,
    Object,
    Resource,
)
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

NAMESPACE = "shop"


class World:
    """What a test does to the cluster, and how it waits for what the cluster does."""

    def __init__(self, sandbox: Sandbox, simulation: Simulation, clock: LoopClock) -> None:
        self.sandbox = sandbox
        self.simulation = simulation
        self.clock = clock
        self.client = Client(sandbox.transport(), "test")

    async def create(self, resource: Resource, obj: Object) -> Object:
        return await self.client.create(resource, obj)

    async def get(self, resource: Resource, name: str, namespace: str = NAMESPACE) -> Object | None:
        try:
            return await self.client.get(resource, Key(namespace if resource.namespaced else "", name))
        except NotFound:
            return None

    async def objects(self, resource: Resource, namespace: str = NAMESPACE) -> list[Object]:
        listing = await self.client.read(resource.path(namespace if resource.namespaced else ""))
        return sorted(listing["items"], key=lambda obj: obj["metadata"]["name"])

    async def patch(self, resource: Resource, name: str, change: Object, namespace: str = NAMESPACE) -> Object:
        return await self.client.patch(resource, Key(namespace if resource.namespaced else "", name), change)

    async def delete(self, resource: Resource, name: str, namespace: str = NAMESPACE, **options: Any) -> None:
        obj = await self.client.get(resource, Key(namespace if resource.namespaced else "", name))
        await self.client.delete(resource, obj, **options)

    async def pods(self, **labels: str) -> list[Object]:
        found = await self.objects(PODS)
        return [pod for pod in found if labels.items() <= (pod["metadata"].get("labels") or {}).items()]

    async def until(self, check: Callable[[], Awaitable[Any]], *, within: float = 60) -> Any:
        """Wait, in virtual time, until `check` gives something true, and return it."""
        end = self.clock.monotonic() + within
        while not (found := await check()):
            assert self.clock.monotonic() < end, f"not within {within} s; the pods are {await self.brief()}"
            await self.clock.sleep(0.05)
        return found

    async def status(self, resource: Resource, name: str, *, within: float = 60, **wanted: Any) -> Object:
        """Wait until the status of an object has the fields `wanted`; the object then."""

        async def check() -> Object | None:
            obj = await self.get(resource, name)
            status = (obj or {}).get("status") or {}
            return obj if all(status.get(field, 0) == value for field, value in wanted.items()) else None

        return await self.until(check, within=within)

    async def condition(
        self, resource: Resource, name: str, kind: str, status: str = "True", *, within: float = 60
    ) -> Object:
        """Wait for a condition; the condition."""

        async def check() -> Object | None:
            obj = await self.get(resource, name) or {}
            entries = (obj.get("status") or {}).get("conditions") or ()
            return next((entry for entry in entries if (entry["type"], entry["status"]) == (kind, status)), None)

        return await self.until(check, within=within)

    async def gone(self, resource: Resource, name: str, *, within: float = 60) -> None:
        async def check() -> bool:
            return await self.get(resource, name) is None

        await self.until(check, within=within)

    async def brief(self) -> list[str]:
        lines = []
        for pod in await self.objects(PODS):
            status = pod.get("status") or {}
            states = [entry["state"] for entry in status.get("containerStatuses") or ()]
            lines.append(f"{pod['metadata']['name']} {status.get('phase')} {states}")
        return lines


def template(name: str, *, image: str = "web:1", **spec: Any) -> Object:
    notes = spec.pop("annotations", {})
    containers = [{"name": "main", "image": image, **spec.pop("container", {})}]
    return {"metadata": {"labels": {"app": name}, "annotations": notes}, "spec": {"containers": containers, **spec}}


def workload(name: str, replicas: int = 1, *, template: Object, **spec: Any) -> Object:
    selector = {"matchLabels": {"app": name}}
    metadata = {"namespace": NAMESPACE, "name": name, "labels": {"app": name}}
    return {"metadata": metadata, "spec": {"replicas": replicas, "selector": selector, "template": template, **spec}}


class Make:
    """Objects for tests."""

    @staticmethod
    def template(name: str, **more: Any) -> Object:
        return template(name, **more)

    @staticmethod
    def workload(name: str, replicas: int = 1, *, spec: Object | None = None, **pod: Any) -> Object:
        return workload(name, replicas, template=template(name, **pod), **(spec or {}))

    @staticmethod
    def pod(name: str, **more: Any) -> Object:
        made = copy.deepcopy(template(name, **more))
        made["metadata"].update(namespace=NAMESPACE, name=name)
        return made

    @staticmethod
    def job(name: str, *, spec: Object | None = None, **pod: Any) -> Object:
        pod.setdefault("restartPolicy", "Never")
        return {
            "metadata": {"namespace": NAMESPACE, "name": name},
            "spec": {"template": template(name, **pod), **(spec or {})},
        }


@pytest.fixture
def make() -> type[Make]:
    return Make


@pytest.fixture
def simulate() -> Callable[..., Any]:
    """`simulate(scenario, **options)` runs `await scenario(world)` in virtual time on a fresh cluster."""

    def simulate(scenario: Callable[[World], Awaitable[Any]], **options: Any) -> Any:
        async def main() -> Any:
            clock = LoopClock()
            sandbox = Sandbox(clock=clock)
            simulation = Simulation(sandbox.transport(), clock=clock, random=Random(7), **options)
            async with simulation:
                world = World(sandbox, simulation, clock)
                await world.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
                return await scenario(world)

        return run_virtual(main())

    return simulate
