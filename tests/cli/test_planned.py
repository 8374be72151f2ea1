"""What the planner decided, on the command line: from the cluster, whether or not somebody plans now."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.engine.plans import PlanMaps
from reconciler.http.transport import Request
from reconciler.model.planned import (
    VERSION,
    Amount,
    PartOf,
    PlacedShare,
    PlannedCluster,
    PlannedWorkload,
    ShownCandidate,
    ShownChoice,
    Template,
    Waiting,
    WeighedTerm,
)

SPECS = {
    "web.yaml": (
        "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {image: example.com/web:1}\n"
    ),
    "migrate.yaml": (
        "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: migrate}\n"
        "spec: {image: example.com/web:1, command: [migrate], run: onChange}\n"
    ),
}


def candidate(*terms: tuple[str, str, float, float], **shown: str) -> ShownCandidate:
    found = tuple(WeighedTerm(*term) for term in terms)
    return ShownCandidate(sum(term.contribution for term in found), found, **shown)


def option(pool: str, zone: str, *terms: tuple[str, str, float, float]) -> ShownCandidate:
    return candidate(*terms, pool=pool, zone=zone)


def forecast(name: str, amount: str, risk: float, slack: float) -> ShownCandidate:
    terms = ("h", "demand", 1 - risk / 5, 0.4), ("h", "slack", slack, 1.0)
    return candidate(*terms, what=f"{name}, enough but for {risk:g} % of the past", amount=f"{amount} on average")


WEB = PlannedWorkload(
    "Deployment/default/web",
    "apps",
    "Deployment",
    "default",
    "web",
    source="shop",
    replicas=3,
    profile="cost",
    weights={"fit": 0.05, "zone": 0.2},
    amounts={
        "replicas": Amount("3", "expected: 0.6 cores, a replica carries 0.217 (the forecast is level x 1.2)"),
        "cpu": Amount("250m", "the 90th percentile of what is used, and 15 % on top"),
    },
    places=(PlacedShare(1, "general", "a"), PlacedShare(1, "general", "b")),
    choices=(
        ShownChoice(forecast("level x 1.2", "2.4", 1, 1.0), forecast("now x 1.5", "2.9", 0.5, 0.828), "replicas"),
        ShownChoice(
            option("general", "a", ("f", "fit", 0.5, 0.05), ("g", "zone", 1.0, 0.2)),
            option("large", "b", ("f", "fit", 0.25, 0.05), ("g", "zone", 0.5, 0.2)),
        ),
        ShownChoice(option("general", "b", ("f", "fit", 0.5, 0.05), ("g", "zone", 1.0, 0.2))),
    ),
    unplaced=Waiting(1, "capacity", "every node that it may use is full: a1 lacks 100m cpu", "ask for 100m cpu less"),
    template=Template({"cpu": "100m"}, ("zone", "node"), ("pool=general in zone a or b (weight 100)",)),
    pending=Template({"cpu": "250m"}, ("zone", "node"), ("pool=general in zone a or b (weight 100)",)),
)
MIGRATE = PlannedWorkload("Task/default/migrate", "batch", "Job", "default", "migrate-0", source="shop", replicas=1)


def plan(ago: float = 250) -> PlannedCluster:
    made = datetime.now(UTC) - timedelta(seconds=ago)
    return PlannedCluster(
        VERSION, made, "daemon-1", "balanced", 0.2, 4, 2, 2, value=3, bound=4, gap=0.25, workloads=(WEB, MIGRATE)
    )


def told(kubeconfig: Path, found: PlannedCluster | None, *, holder: str = "", heard: float = 1) -> None:
    """Have a plan and a lease in the cluster."""

    async def write() -> None:
        cluster = await connect(str(kubeconfig), None, clock=SystemClock(), random=Random(1))
        try:
            if found is not None:
                await PlanMaps(cluster, "default", clock=SystemClock()).write(found)
            if holder:
                await lease(cluster)
        finally:
            await cluster.close()

    async def lease(cluster: Cluster) -> None:
        renewed = datetime.now(UTC) - timedelta(seconds=heard)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 60, "renewTime": f"{renewed:%Y-%m-%dT%H:%M:%S.%fZ}"}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "reconciler-planner", "namespace": "default"},
            "spec": spec,
        }
        path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
        headers = {"content-type": "application/json"}
        await cluster.transport.send(Request("POST", path, (), headers, msgspec.json.encode(body)))

    asyncio.run(write())


@pytest.fixture
def applied(cli: Any, shop: Any, api_server: Path) -> tuple[object, ...]:
    """The shop's objects are there; the flags that lead to them."""
    where = ("--kubeconfig", api_server, "--state-namespace", "default")
    assert cli("apply", shop(SPECS), "--no-wait", *where).code == 0
    return where


def test_a_workload_is_explained_by_its_plan(cli: Any, applied: tuple[object, ...], api_server: Path) -> None:
    told(api_server, plan(), holder="daemon-1")
    assert cli.golden("planned-1-explain.txt", "explain", "deployment/web", *applied).code == 0


def test_a_workload_in_shares_is_explained_part_by_part(cli: Any, shop: Any, api_server: Path) -> None:
    where = ("--kubeconfig", api_server, "--state-namespace", "default")
    shared = SPECS["web.yaml"].replace("web:1}", "web:1, replicas: 3, placement: {shares: {general: 33%, spot: 67%}}}")
    assert cli("apply", shop({"web.yaml": shared}), "--no-wait", *where).code == 0
    parts = tuple(
        msgspec.structs.replace(
            WEB,
            name=f"web-{pool}",
            replicas=count,
            places=(PlacedShare(count, pool, "a"),),
            choices=(),
            unplaced=None,
            part=PartOf(pool, percent),
        )
        for pool, percent, count in (("general", 33, 1), ("spot", 67, 2))
    )
    told(api_server, msgspec.structs.replace(plan(), workloads=parts), holder="daemon-1")
    assert cli.golden("planned-3-shares.txt", "explain", "deployment/web", *where).code == 0
    assert "pool spot" in cli("explain", "deployment/web-spot", *where).out


def test_so_is_a_task(cli: Any, applied: tuple[object, ...], api_server: Path) -> None:
    told(api_server, plan(), holder="daemon-1")
    ran = cli("explain", "task/migrate", *applied)
    assert ran.code == 0
    assert ran.out.startswith("Job/default/migrate-")
    assert "stated by Task/default/migrate in migrate.yaml" in ran.out
    assert "  1 replica planned: nowhere\n" in ran.out
    assert cli("explain", "task/other", *applied).err.startswith("no Job of Task/default/other is there\n  hint: ")


def test_without_a_planner_that_is_said(cli: Any, applied: tuple[object, ...]) -> None:
    assert (
        "  no planner runs: what its spec leaves open is as Kubernetes"
        in cli("explain", "deployment/web", *applied).out
    )
    assert "planner" not in cli("status", *applied).out
    assert json.loads(cli("status", "--output", "json", *applied).out)["planner"] is None


@pytest.mark.parametrize(
    ("holder", "heard", "said"),
    [
        ("", 0, "nobody plans at present; what was planned stays"),
        ("daemon-2", 1, "daemon-2 plans"),
        ("daemon-1", 130, "nobody plans at present: the lease is that of daemon-1, last heard of 2 min ago"),
    ],
)
def test_who_plans_and_how_old_the_plan_is(
    cli: Any, applied: tuple[object, ...], api_server: Path, holder: str, heard: float, said: str
) -> None:
    told(api_server, plan(), holder=holder, heard=heard)
    for verb in (("explain", "deployment/web"), ("status",)):
        ran = cli(*verb, *applied)
        assert f"  {said}\n" in ran.out
        by = "" if holder == "daemon-1" and heard < 15 else " by daemon-1"
        assert f"  the newest plan is of 4 min ago{by}: 1 replica without a place; " in ran.out
        assert "advice for 1 workload waits for a roll-out" in ran.out


def test_status_has_a_word_about_the_planner(cli: Any, applied: tuple[object, ...], api_server: Path) -> None:
    told(api_server, plan(), holder="daemon-1")
    cli.golden("planned-2-status.txt", "status", *applied)
    found = json.loads(cli("status", "--output", "json", *applied).out)["planner"]
    assert (found["holder"], found["problem"]) == ("daemon-1", None)
    assert {name: found["plan"][name] for name in ("by", "unplaced", "pending", "gap")} == {
        "by": "daemon-1",
        "unplaced": 1,
        "pending": 1,
        "gap": 0.25,
    }


def test_a_plan_that_makes_no_sense_is_a_problem_and_no_error(
    cli: Any, applied: tuple[object, ...], api_server: Path
) -> None:
    told(api_server, msgspec.structs.replace(plan(), version=2), holder="daemon-1")
    ran = cli("explain", "deployment/web", *applied)
    assert ran.code == 0
    assert "the plan cannot be told: ConfigMap/reconciler-plan: the published plan cannot be read: version 2" in ran.out
