"""The demo's chapter on the planner: a Deployment that leaves much open is planned, and loses a zone."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.markup import escape

from reconciler.cli import pictures
from reconciler.cli.demo_metrics import QUERY
from reconciler.cli.stage import Stage
from reconciler.engine.plans import PlanMaps
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Request
from reconciler.kube.kinds import NODE, POD
from reconciler.model.cluster_view import ZONE
from reconciler.model.planned import PlannedCluster, PlannedWorkload, Share
from reconciler.model.planner_config import DefaultsConfig, PlannerConfig, PrometheusUsage, UsageConfig
from reconciler.planner import words
from reconciler.planner.carrying import Carrying
from reconciler.planner.curves import Curve
from reconciler.planner.loads import NodeLoad

DOCUMENT: Final = "Deployment/shop/search"
_SPEC: Final = f"""\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {{name: search, namespace: shop}}
spec:
  image: registry.example.com/shop/search:1.0.0
  ports: [{{name: http, containerPort: 8080}}]
  scale:
    min: 2
    max: 8
    query: {QUERY}
    perReplica: 40
"""
_GLANCE: Final = 0.1  # seconds


def configured(metrics: str) -> PlannerConfig:
    """The planner of the demo; `metrics` is the address of a Prometheus."""
    usage = UsageConfig(prometheus=PrometheusUsage(metrics), interval=1.0)
    return PlannerConfig(defaults=DefaultsConfig({"cpu": "250m", "memory": "256Mi"}), usage=usage)


def stated(work: Path) -> None:
    """Write the spec into the repository at `work`."""
    (work / "base" / "search.yaml").write_text(_SPEC)


async def explained(stage: Stage) -> list[NodeLoad]:
    """What `reconciler explain` would say, as soon as its forecast is known, and demand. Returns how full nodes are."""
    store = PlanMaps(stage.cluster, stage.config.state_namespace, clock=stage.clock)
    status = HttpTransport(stage.page)
    try:
        while not (found := await _asked(status))["demand"] or not stage.all_ready():
            await stage.clock.sleep(_GLANCE)
    finally:
        await status.close()
    while (search := _foreseen(await store.read())) is None:
        await stage.clock.sleep(_GLANCE)
    stage.say("   [dim]reconciler explain deployment/search -n shop[/]")
    places = tuple(choice for choice in search.choices if not choice.subject)
    for line in words.workload(msgspec.structs.replace(search, choices=places[:1])):
        stage.say(f"     {escape(line)}")
    stage.say("   Its demand, of which a Prometheus of the demo tells: nobody uses this shop")
    for row in pictures.chart(_curve(found["demand"])):
        stage.say(row)
    return _loads(found)


async def zone_lost(stage: Stage, before: list[NodeLoad]) -> None:
    """Take the nodes of a zone away, with what ran there, and wait for the next plan."""
    status = HttpTransport(stage.page)
    other = HttpTransport(stage.url)
    try:
        zone = (_places(await _asked(status)))[0]["zone"]
        nodes = {n.identity.name for n in await stage.cluster.list(NODE) if n.labels.get(ZONE) == zone}
        pods = [p for p in await stage.cluster.list(POD) if (p.object.get("spec") or {}).get("nodeName") in nodes]
        began = stage.clock.monotonic()
        paths = [f"/api/v1/nodes/{name}" for name in sorted(nodes)]
        paths += [f"/api/v1/namespaces/{p.identity.namespace}/pods/{p.identity.name}" for p in pods]
        query = (("gracePeriodSeconds", "0"),)
        await asyncio.gather(*(other.send(Request("DELETE", path, query)) for path in paths))
        found = await _asked(status)
        while any(place["zone"] == zone for place in _places(found)):
            await stage.clock.sleep(_GLANCE)
            found = await _asked(status)
        seconds = stage.clock.monotonic() - began
    finally:
        await status.close()
        await other.close()
    where = ", ".join(f"{place['pool']}/{place['zone']} {place['replicas']}" for place in _places(found))
    stage.say(f"   [yellow]![/] {zone} is lost, with {', '.join(sorted(nodes))} and {len(pods)} pods")
    stage.say(f"   [green]✓[/] planned again {seconds:.1f} s later: {DOCUMENT} on {where}")
    stage.say("   Requested of each node, before and as planned now:")
    for row in pictures.heat(before, _loads(found)):
        stage.say(row)


async def _asked(status: HttpTransport) -> Any:
    """What the daemon's page says for machines."""
    answer = await status.send(Request("GET", "/api/planner", (("workload", DOCUMENT),)))
    return json.loads(answer.body)


def _foreseen(plan: PlannedCluster | None) -> PlannedWorkload | None:
    """What is planned, as soon as demand is known."""
    search = plan.stated(DOCUMENT) if plan is not None else None
    return search if search is not None and "expected" in search.amounts["replicas"].why else None


def _places(found: Any) -> Any:
    return next(each for each in found["plan"]["workloads"] if each["workload"] == DOCUMENT)["places"]


def _loads(found: Any) -> list[NodeLoad]:
    return [
        NodeLoad(
            node["name"],
            node["pool"],
            node["zone"],
            {name: Share(**share) for name, share in node["requested"].items()},
            node["there"],
        )
        for node in found["nodes"]
    ]


def _curve(demand: Any) -> Curve:
    return Curve(
        demand["forecastBy"],
        datetime.fromisoformat(demand["begin"]),
        demand["step"],
        demand["measured"],
        demand["forecast"],
        demand["replicas"],
        demand["carried"],
        Carrying(demand["perReplica"], "by the query"),
    )
