"""The demo's chapter on the planner: a Deployment that states next to nothing is planned, and loses a zone."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.markup import escape

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.engine.plans import PlanMaps
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Request
from reconciler.kube.names import GroupKind
from reconciler.model.cluster_view import ZONE
from reconciler.model.planned import PlannedWorkload
from reconciler.model.planner_config import DefaultsConfig, PlannerConfig
from reconciler.planner import words

PLANNER: Final = PlannerConfig(defaults=DefaultsConfig({"cpu": "250m", "memory": "256Mi"}))
DOCUMENT: Final = "Deployment/shop/search"
_SPEC: Final = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: search, namespace: shop}
spec:
  image: registry.example.com/shop/search:1.0.0
  ports: [{name: http, containerPort: 8080}]
"""
_GLANCE: Final = 0.1  # seconds
_NODE: Final = GroupKind("", "Node")
_POD: Final = GroupKind("", "Pod")

Say = Callable[[str], None]


def stated(work: Path) -> None:
    """Write the spec into the repository at `work`."""
    (work / "base" / "search.yaml").write_text(_SPEC)


async def explained(say: Say, cluster: Cluster, namespace: str, clock: Clock) -> PlannedWorkload:
    """What `reconciler explain` would say, as soon as it is published."""
    store = PlanMaps(cluster, namespace, clock=clock)
    while (plan := await store.read()) is None or (search := plan.stated(DOCUMENT)) is None:
        await clock.sleep(_GLANCE)
    say("   [dim]reconciler explain deployment/search -n shop[/]")
    for line in words.workload(msgspec.structs.replace(search, choices=search.choices[:1])):
        say(f"     {escape(line)}")
    return search


async def zone_lost(say: Say, cluster: Cluster, clock: Clock, *, server: str, page: str, zone: str) -> None:
    """Take the nodes of `zone` away, with what ran there, and wait for the next plan and the pods."""
    nodes = {n.identity.name for n in await cluster.list(_NODE) if n.labels.get(ZONE) == zone}
    pods = [p for p in await cluster.list(_POD) if (p.object.get("spec") or {}).get("nodeName") in nodes]
    began = clock.monotonic()
    other = HttpTransport(server)
    try:
        paths = [f"/api/v1/nodes/{name}" for name in sorted(nodes)]
        paths += [f"/api/v1/namespaces/{p.identity.namespace}/pods/{p.identity.name}" for p in pods]
        query = (("gracePeriodSeconds", "0"),)
        await asyncio.gather(*(other.send(Request("DELETE", path, query)) for path in paths))
    finally:
        await other.close()
    status = HttpTransport(page)
    try:
        found = await _search(status)
        while any(place["zone"] == zone for place in found["places"]):
            await clock.sleep(_GLANCE)
            found = await _search(status)
    finally:
        await status.close()
    where = ", ".join(f"{place['pool']}/{place['zone']} {place['replicas']}" for place in found["places"])
    seconds = clock.monotonic() - began
    say(f"   [yellow]![/] {zone} is lost, with {', '.join(sorted(nodes))} and {len(pods)} pods")
    say(f"   [green]✓[/] planned again {seconds:.1f} s later: {DOCUMENT} on {where}")


async def _search(status: HttpTransport) -> Any:
    """What the daemon's page says of it."""
    answer = await status.send(Request("GET", "/api/status"))
    workloads = json.loads(answer.body)["planner"]["plan"]["workloads"]
    return next(each for each in workloads if each["workload"] == DOCUMENT)
