"""Who may do little: only a server with RBAC can show it."""

import contextlib

from kubernetes_server import KubernetesServer
from tenancy import EVERYTHING, RBAC, everywhere, tenancy
from texts import config, deployment

from reconciler.model.result import Outcome


def test_rule_22_a_tenant_syncs_its_namespace_and_heals_it(kubernetes: KubernetesServer) -> None:
    async def scenario() -> None:
        async with tenancy(kubernetes, EVERYTHING) as (admin, tenant):
            repository = tenant.source(namespaces=(tenant.space,))
            repository.commit({"a.yaml": config("a"), "web.yaml": deployment()})
            result = await tenant.sync()
            assert result.ok, {str(i): (r.message, r.hint) for i, r in result.results.items()}
            await admin.patch(admin.path("configmaps/a"), {"data": {"value": "edited"}})
            await tenant.settled()
            live = await tenant.get("ConfigMap", "a")
            assert live is not None
            assert live["data"] == {"value": "1"}
            repository.commit({"a.yaml": None})
            assert (await tenant.sync()).ok
            assert await tenant.get("ConfigMap", "a") is None

    kubernetes.run(scenario())


def test_what_a_tenant_may_not_write_fails_alone_and_names_the_permission(kubernetes: KubernetesServer) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch"]},
    ]
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"

    async def scenario() -> None:
        async with tenancy(kubernetes, rules) as (_admin, tenant):
            repository = tenant.source(namespaces=(tenant.space,))
            repository.commit({"a.yaml": config("a"), "web.yaml": service})
            result = await tenant.sync()
            by_name = {identity.name: each for identity, each in result.results.items()}
            assert by_name["a"].outcome is Outcome.DONE
            assert by_name["web"].outcome is Outcome.FAILED
            assert "services" in by_name["web"].message + by_name["web"].hint

    kubernetes.run(scenario())


def test_a_kind_that_may_not_even_be_listed_fails_alone(kubernetes: KubernetesServer) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {value: hidden}\n"

    async def scenario() -> None:
        async with tenancy(kubernetes, rules) as (_admin, tenant):
            repository = tenant.source(namespaces=(tenant.space,))
            repository.commit({"a.yaml": config("a"), "key.yaml": secret})
            result = await tenant.sync()
            by_name = {identity.name: each for identity, each in result.results.items()}
            assert by_name["a"].outcome is Outcome.DONE
            assert by_name["key"].outcome is Outcome.FAILED

    kubernetes.run(scenario())


def test_a_permission_that_is_taken_away_fails_and_converges_once_it_is_back(kubernetes: KubernetesServer) -> None:
    async def scenario() -> None:
        async with tenancy(kubernetes, EVERYTHING) as (admin, tenant):
            repository = tenant.source(namespaces=(tenant.space,))
            repository.commit({"a.yaml": config("a")})
            assert (await tenant.sync()).ok
            role = admin.path("roles/tenant", RBAC)
            reading = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
            await admin.patch(role, {"rules": reading})

            async def refused() -> bool:
                repository.commit({"a.yaml": config("a", "2")})
                with contextlib.suppress(AssertionError):  # a pass that could not even begin gives no result
                    return not (await tenant.sync()).ok
                return True

            await admin.until(refused)
            live = await admin.get("ConfigMap", "a")
            assert live is not None
            await admin.patch(role, {"rules": EVERYTHING})

            async def converged() -> bool:
                await tenant.sources["shop"].work()
                live = await admin.get("ConfigMap", "a")
                return live is not None and live["data"] == {"value": "2"}

            await admin.until(converged)

    kubernetes.run(scenario())


def test_rule_22_a_source_that_is_bound_nowhere_does_not_blind_one_that_is_bound(kubernetes: KubernetesServer) -> None:
    """Of a user who may act in one namespace only; whichever source is first."""

    async def scenario(first: str, second: str) -> None:
        async with tenancy(kubernetes, EVERYTHING) as (admin, tenant):
            for name in (first, second):
                bounds = (tenant.space,) if name == "bound" else ()
                tenant.source(name, namespaces=bounds).commit({f"{name}.yaml": config(name)})
            for name in (first, second):
                await tenant.sources[name].poll()
                await tenant.sources[name].work()
            await admin.patch(admin.path("configmaps/bound"), {"data": {"value": "edited"}})

            async def healed() -> bool:
                live = await admin.get("ConfigMap", "bound")
                return live is not None and live["data"] == {"value": "1"}

            await tenant.works_until(healed, "bound")

    kubernetes.run(scenario("bound", "wide"))
    kubernetes.run(scenario("wide", "bound"))


def test_rule_22_one_watch_serves_both_where_the_user_may_read_everywhere(kubernetes: KubernetesServer) -> None:
    reading = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]

    async def scenario() -> None:
        async with tenancy(kubernetes, EVERYTHING) as (admin, tenant), everywhere(admin, reading):
            for name in ("bound", "wide"):
                bounds = (tenant.space,) if name == "bound" else ()
                tenant.source(name, namespaces=bounds).commit({f"{name}.yaml": config(name)})

            async def synced() -> bool:
                """The authorizer is a moment behind the binding."""
                with contextlib.suppress(AssertionError):
                    return all([(await tenant.sync(name)).ok for name in ("bound", "wide")])
                return False

            await tenant.until(synced)
            assert tenant.cluster.failing() == {}
            for name in ("bound", "wide"):
                await admin.patch(admin.path(f"configmaps/{name}"), {"data": {"value": "edited"}})

            async def healed() -> bool:
                found = [await admin.get("ConfigMap", name) for name in ("bound", "wide")]
                return all(live is not None and live["data"] == {"value": "1"} for live in found)

            async def both() -> bool:
                for name in ("bound", "wide"):
                    await tenant.settled(name)
                return await healed()

            await tenant.until(both)

    kubernetes.run(scenario())
