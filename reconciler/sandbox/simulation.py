"""Everything that acts on an API server by itself: controllers, scheduler and simulated nodes.

    async with Simulation(sandbox.transport(), clock=clock, random=random):
        …

It talks through a Transport only. On a control plane that has its own controllers and scheduler leave those out:

    Simulation(transport, clock=clock, random=random, controllers=(), scheduler=False)

Nothing polls: in virtual time (`reconciler.clock.run_virtual`) an idle cluster costs only its leases.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable
from enum import Enum
from random import Random
from typing import Final, Self

from reconciler.clock import Clock
from reconciler.http.transport import Transport
from reconciler.sandbox.client import Client, Key
from reconciler.sandbox.controllers.addresses import IngressAddresses, ServiceAddresses
from reconciler.sandbox.controllers.autoscaler import AutoscalerController, Metrics
from reconciler.sandbox.controllers.budgets import BudgetController
from reconciler.sandbox.controllers.catalog import Catalog
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.cronjob import CronJobController
from reconciler.sandbox.controllers.daemonset import DaemonSetController
from reconciler.sandbox.controllers.deployment import DeploymentController
from reconciler.sandbox.controllers.endpoints import EndpointsController
from reconciler.sandbox.controllers.events import Recorder, Verbosity
from reconciler.sandbox.controllers.garbage import GarbageCollector
from reconciler.sandbox.controllers.job import JobController
from reconciler.sandbox.controllers.namespace_defaults import NamespaceDefaults
from reconciler.sandbox.controllers.namespaces import NamespaceController
from reconciler.sandbox.controllers.node_lifecycle import NodeLifecycleController
from reconciler.sandbox.controllers.queue import Timers
from reconciler.sandbox.controllers.replicaset import ReplicaSetController
from reconciler.sandbox.controllers.statefulset import StatefulSetController
from reconciler.sandbox.controllers.volumes import VolumeController
from reconciler.sandbox.informers import Informers
from reconciler.sandbox.kubelet.behavior import Timing
from reconciler.sandbox.kubelet.kubelet import Kubelet
from reconciler.sandbox.kubelet.registration import Registration
from reconciler.sandbox.nodes import Node, Pool, default_nodes, nodes_of
from reconciler.sandbox.scheduler.scheduler import Scheduler

_log = logging.getLogger(__name__)

CONTROLLER_MANAGER: Final = "kube-controller-manager"


class Part(Enum):
    """The controllers, each of which can be left out."""

    NAMESPACE_DEFAULTS = "namespace-defaults"
    NAMESPACES = "namespaces"
    GARBAGE = "garbage"
    DEPLOYMENT = "deployment"
    REPLICA_SET = "replicaset"
    STATEFUL_SET = "statefulset"
    DAEMON_SET = "daemonset"
    JOB = "job"
    CRON_JOB = "cronjob"
    ENDPOINTS = "endpoints"
    VOLUMES = "volumes"
    BUDGETS = "budgets"
    AUTOSCALER = "autoscaler"
    INGRESS_ADDRESSES = "ingress-addresses"
    SERVICE_ADDRESSES = "service-addresses"
    NODE_LIFECYCLE = "node-lifecycle"


ALL: Final = frozenset(Part)

_PLAIN: Final[dict[Part, Callable[[Context], Controller]]] = {
    Part.NAMESPACE_DEFAULTS: NamespaceDefaults,
    Part.DEPLOYMENT: DeploymentController,
    Part.REPLICA_SET: ReplicaSetController,
    Part.STATEFUL_SET: StatefulSetController,
    Part.DAEMON_SET: DaemonSetController,
    Part.JOB: JobController,
    Part.CRON_JOB: CronJobController,
    Part.ENDPOINTS: EndpointsController,
    Part.VOLUMES: VolumeController,
    Part.BUDGETS: BudgetController,
    Part.INGRESS_ADDRESSES: IngressAddresses,
    Part.SERVICE_ADDRESSES: ServiceAddresses,
    Part.NODE_LIFECYCLE: NodeLifecycleController,
}


class Simulation:
    """The acting half of a cluster. Enter it, or `run` it; both start what was chosen and stop it again."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        random: Random,
        nodes: Iterable[Node | Pool] | None = None,
        controllers: Collection[Part] = ALL,
        scheduler: bool = True,
        kubelet: bool = True,
        timing: Timing = Timing(),  # noqa: B008  # immutable
        lease_seconds: int = 40,
        events: Verbosity = Verbosity.ALL,
        metrics: Metrics | None = None,
    ) -> None:
        """`nodes` default to three; `timing` is the pace of pods; a node whose lease, good for `lease_seconds`, runs
        out is dead. Without `metrics` autoscalers only keep within their bounds."""
        self._transport = transport
        self._clock = clock
        self._random = random
        self._nodes = {node.name: node for node in nodes_of(default_nodes() if nodes is None else nodes)}
        self._dead: set[str] = set()
        self._controllers = frozenset(controllers)
        self._with_scheduler = scheduler
        self._with_kubelet = kubelet
        self._timing = timing
        self._lease_seconds = lease_seconds
        self._events = events
        self._metrics = metrics
        self._kubelet: Kubelet | None = None
        self._registration: Registration | None = None
        self._informers: Informers | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stop()

    async def run(self) -> None:
        """Start, and act until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def kill_node(self, name: str) -> None:
        """The node stops at once: no lease, no status, its pods hang. KeyError when there is no such node."""
        self._dead.add(self._nodes[name].name)

    def revive_node(self, name: str) -> None:
        """The node is back: it renews its lease, finishes what was deleted meanwhile, and runs the rest on."""
        self._dead.discard(self._nodes[name].name)
        if self._registration is not None:
            self._registration.queue.add(Key("", name))
        if self._kubelet is not None:
            self._kubelet.recheck(name)

    def add_nodes(self, nodes: Iterable[Node | Pool]) -> None:
        """More nodes join, while it runs too."""
        for node in nodes_of(nodes):
            self._nodes[node.name] = node
            if self._registration is not None:
                self._registration.queue.add(Key("", node.name))

    def _alive(self, name: str) -> Node | None:
        return None if name in self._dead else self._nodes.get(name)

    async def _start(self) -> None:
        informers = Informers(self._transport, clock=self._clock, random=self._random)
        self._informers = informers
        timers = Timers(self._clock)

        def context(manager: str) -> Context:
            client = Client(self._transport, manager, observe=informers.observe, forget=informers.forget)
            recorder = Recorder(client, self._clock, self._events)
            self._spawn("events", recorder.run())
            return Context(client, informers, recorder, timers, self._clock, self._random)

        parts: list[Controller] = []
        if self._controllers:
            parts += self._make_controllers(context(CONTROLLER_MANAGER))
        if self._with_scheduler:
            parts.append(Scheduler(context("kube-scheduler")))
        if self._with_kubelet:
            shared = context("kubelet")
            self._kubelet = Kubelet(shared, node=self._alive, timing=self._timing)
            self._registration = Registration(
                shared, nodes=self._nodes, node=self._alive, lease_seconds=self._lease_seconds
            )
            parts += [self._registration, self._kubelet]
        self._spawn("timers", timers.run())
        await informers.start()
        for part in parts:
            self._spawn(part.name, part.run())

    def _make_controllers(self, context: Context) -> list[Controller]:
        made = [make(context) for part, make in _PLAIN.items() if part in self._controllers]
        if Part.AUTOSCALER in self._controllers:
            made.append(AutoscalerController(context, self._metrics))
        if Part.GARBAGE in self._controllers or Part.NAMESPACES in self._controllers:
            catalog = Catalog(context)
            self._spawn("catalog", catalog.run())
            if Part.GARBAGE in self._controllers:
                made.append(GarbageCollector(context, catalog))
            if Part.NAMESPACES in self._controllers:
                made.append(NamespaceController(context, catalog))
        return made

    def _spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_report)
        self._tasks.append(task)

    async def _stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._informers is not None:
            await self._informers.stop()
        self._informers = self._kubelet = self._registration = None


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s ended", task.get_name(), exc_info=error)
