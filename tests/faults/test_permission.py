"""A permission that is taken away while a pass writes."""

import asyncio
import itertools
import re

from intercepted import hook
from kubernetes_server import KubernetesServer
from tenancy import EVERYTHING, RBAC, known, tenancy
from texts import config

from reconciler.http.transport import Request
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

READING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
FIRST = 10  # so many are applied before it is taken away
NAMES = [f"c{number}" for number in range(300)]


def test_a_permission_revoked_in_the_middle_of_a_sync_loses_nothing_and_the_rest_follows_once_it_is_back(
    kubernetes: KubernetesServer,
) -> None:
    revoked, applies = asyncio.Event(), itertools.count()

    async def only_the_first(request: Request) -> None:
        """The others wait until the permission is gone."""
        if request.method == "PATCH" and "/configmaps/c" in request.path and next(applies) >= FIRST:
            await revoked.wait()

    async def scenario() -> None:
        async with tenancy(kubernetes, EVERYTHING) as (admin, tenant):
            hook(tenant, only_the_first)
            role = admin.path("roles/tenant", RBAC)
            repository = tenant.source(namespaces=(tenant.space,))
            repository.commit({"old.yaml": config("old")})
            assert (await tenant.sync()).ok
            repository.commit({f"{name}.yaml": config(name) for name in NAMES} | {"old.yaml": None})
            syncing = asyncio.ensure_future(tenant.sync())

            async def begun() -> bool:
                return len(tenant.heard(EventType.APPLIED)) > FIRST

            await tenant.until(begun)
            await admin.patch(role, {"rules": READING})
            await known(tenant, READING)
            revoked.set()
            result = await syncing
            verbs = "(patch|create)"  # of an apply to what is there not yet
            refusal = re.compile(
                f'User "{admin.name("tenant")}" cannot {verbs} resource "configmaps" .*"{admin.space}"'
            )
            failed = [each for each in result.results.values() if each.outcome is Outcome.FAILED]
            assert len(failed) == len(NAMES) - FIRST, "it was in the middle"
            for each in failed:
                assert refusal.search(each.message), each.message
                assert "Role" in each.hint
            assert await admin.get("ConfigMap", "old") is not None, "nothing is pruned beside what failed"
            await admin.patch(role, {"rules": EVERYTHING})

            async def converged() -> bool:
                tenant.sources["shop"].ask()
                result = await tenant.sources["shop"].work()
                return result is not None and result.ok

            await tenant.until(converged)
            stored = await admin.call("GET", admin.path("configmaps"), labelSelector="app.kubernetes.io/managed-by")
            assert {item["metadata"]["name"] for item in stored["items"]} >= set(NAMES)
            assert await admin.get("ConfigMap", "old") is None

    kubernetes.run(scenario())
