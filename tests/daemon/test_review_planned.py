"""`reconciler review` where a planner is configured: what it decides otherwise stands in the comment."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from golden import checked
from shop import Shop, until
from texts import deployment

from reconciler.clock import SystemClock
from reconciler.model.forging import ForgeKind
from reconciler.model.planner_config import DefaultsConfig, EvictionsConfig, PlannerConfig, PoolConfig
from reconciler.sandbox.nodes import Pool, nodes_of
from reconciler.sandbox.simulation import Simulation

GOLDEN = Path(__file__).parent / "golden" / "review-planned.md"
PLANNER = PlannerConfig(
    pools=(
        PoolConfig(name="general", node_selector={"tier": "general"}, price=0.1),
        PoolConfig(name="spare", node_selector={"tier": "spare"}, price=0.2),
    ),
    defaults=DefaultsConfig({"cpu": "500m", "memory": "512Mi"}),
    evictions=EvictionsConfig(per_cycle=1),
)
NODES = nodes_of(
    [
        Pool("large", 1, cpu="4", zones=("a",), labels={"tier": "general"}),
        Pool("small", 1, cpu="3", zones=("b",), labels={"tier": "general"}),
        Pool("spare", 1, cpu="8", zones=("c",), labels={"tier": "spare"}),
    ]
)


def resources(cpu: str, replicas: int = 1, pool: str = "spare") -> str:
    requests = f"resources: {{requests: {{cpu: {cpu}, memory: 1Gi}}}}"
    return f"  replicas: {replicas}\n  placement: {{pool: {pool}}}\n  {requests}\n"


@asynccontextmanager
async def planned(folder: Path) -> AsyncIterator[Shop]:
    """A shop whose cluster has nodes, with what the base states running there."""
    shop = Shop(folder, ForgeKind.GITHUB)
    shop.planner = PLANNER
    files: dict[str, str | bytes | None] = {
        "web.yaml": deployment(extra=resources("1", 2, "general")),
        "api.yaml": deployment("api", extra="  placement: {pool: spare}\n"),
        "cron.yaml": deployment("cron", extra=resources("200m")),
    }
    shop.repo.branches["main"] = shop.git.commit(files, "Workloads")
    transport = shop.sandbox.transport()
    async with Simulation(transport, clock=SystemClock(), random=Random(3), nodes=NODES), shop.daemon():
        await until(shop.synced, "the first sync")
        for name, ready in (("web", 2), ("api", 2), ("cron", 1)):
            await shop.ready(name, ready)
        yield shop


CHANGE: dict[str, str | bytes | None] = {
    "api.yaml": deployment("api", extra=resources("600m", 3)),
    "cron.yaml": None,
    "large.yaml": deployment("large", extra=resources("3500m", pool="general")),  # of which only one node has as much
    "huge.yaml": deployment("huge", extra=resources("20", pool="general")),
}


def looked_around(shop: Shop) -> bool:
    return any(path in ("/api/v1/nodes", "/api/v1/pods") for path in shop.read_only.asked)


async def test_decisions_of_the_planner_stand_in_the_comment(tmp_path: Path) -> None:
    async with planned(tmp_path) as shop:
        pull = shop.repo.pull(7, head=shop.branch("change", CHANGE))
        async with shop.reviewer():
            await until(lambda: shop.state(pull) in ("success", "failure"), "a plan")
    assert not [r for r in shop.read_only.refused if ("dryRun", "All") not in r.query], "nothing was written"
    assert looked_around(shop)
    text = shop.ours(pull).partition("-->\n")[2]
    checked(GOLDEN, re.sub(r'\{"apart":.*\}', "{what is on record}", text))


async def test_for_a_fork_nobody_looks_at_nodes_and_pods(tmp_path: Path) -> None:
    async with planned(tmp_path) as shop:
        pull = shop.repo.pull(7, head=shop.branch("fork", CHANGE), fork=True)
        async with shop.reviewer():
            await until(lambda: shop.state(pull) in ("success", "failure"), "a plan")
    assert "Deployment/shop/large" in shop.ours(pull)
    assert "Planned otherwise" not in shop.ours(pull)
    assert not looked_around(shop)


async def test_without_the_rights_it_says_so_and_reviews_the_rest(tmp_path: Path) -> None:
    async with planned(tmp_path) as shop:
        shop.read_only.hidden = "/api/v1/pods"
        pull = shop.repo.pull(7, head=shop.branch("change", CHANGE))
        async with shop.reviewer():
            await until(lambda: shop.state(pull) in ("success", "failure"), "a plan")
    assert "Nothing is planned anew: " in shop.ours(pull)
    assert "Deployment/shop/large" in shop.ours(pull)
