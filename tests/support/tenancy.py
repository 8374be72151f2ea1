"""A user who may do little: only a server with RBAC can show it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubernetes_server import KubernetesServer
from world import World, opened

from reconciler.clock import SystemClock

RBAC = "apis/rbac.authorization.k8s.io/v1"
EVERYTHING = [{"apiGroups": ["", "apps", "batch"], "resources": ["*"], "verbs": ["*"]}]


Rules = list[dict[str, list[str]]]


@asynccontextmanager
async def tenancy(kubernetes: KubernetesServer, rules: Rules) -> AsyncIterator[tuple[World, World]]:
    """An administrator's world, and in it a tenant who may do what `rules` say in one namespace."""
    async with kubernetes.world() as admin:
        await admin.create(
            "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": admin.space}}
        )
        user = admin.name("tenant")
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "tenant"}}
        await admin.create(admin.path("roles", RBAC), {**head, "kind": "Role", "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        binding = {**head, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]}
        await admin.create(admin.path("rolebindings", RBAC), binding)
        kubernetes.user(user)
        made = World(lambda: kubernetes.transport(user), SystemClock(), admin.tag, states=admin.space)
        async with opened(made) as tenant:
            await known(tenant, rules)
            yield admin, tenant


async def known(tenant: World, rules: Rules) -> None:
    """Wait until the API server goes by `rules`: its authorizer follows a watch, a moment behind the write."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"

    async def so() -> bool:
        review = await tenant.call("POST", path, {"spec": {"namespace": tenant.space}})
        found = [rule.items() for rule in review["status"]["resourceRules"]]
        return all(any(rule.items() <= each for each in found) for rule in rules if "resources" in rule)

    await tenant.until(so)


@asynccontextmanager
async def everywhere(admin: World, rules: Rules) -> AsyncIterator[None]:
    """Let the tenant of an administrator's world do what `rules` say in every namespace."""
    name = admin.name("everywhere")
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": admin.name("tenant")}
    await admin.create(f"/{RBAC}/clusterroles", {**head, "kind": "ClusterRole", "rules": rules})
    binding = {**head, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]}
    await admin.create(f"/{RBAC}/clusterrolebindings", binding)
    try:
        yield
    finally:
        await admin.call("DELETE", f"/{RBAC}/clusterrolebindings/{name}")
        await admin.call("DELETE", f"/{RBAC}/clusterroles/{name}")
