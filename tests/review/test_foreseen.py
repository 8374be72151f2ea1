"""A plan says what a pass would not come to, and why: what the server refuses, and what waits for it."""

from pathlib import Path
from typing import Any

from admission import Denied, admission
from both_servers import on_both
from kubernetes_server import KubernetesServer
from quota import in_force
from texts import config, deployment
from world import World

from reconciler.engine.preview import Previewer
from reconciler.engine.wanting import Wanting
from reconciler.model.change import Action
from reconciler.review.beside import new_messages

REFUSED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {not a key: '1'}\n"
USES_IT = deployment(extra="  envFrom: [{configMapRef: {name: bad}}]\n")
LOST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lost, namespace: nobody-made-this}\n"
SCHEMA = "{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}"


def definition(w: World, version: str) -> str:
    group = f"{w.name('foreseen')}.example.com"
    return (
        f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: lamps.{group}}}\n"
        f"spec:\n  group: {group}\n  scope: Namespaced\n  names: {{plural: lamps, kind: Lamp}}\n"
        f"  versions: [{{name: {version}, served: true, storage: true, schema: {SCHEMA}}}]\n"
    )


def lamp(w: World, version: str) -> str:
    return f"apiVersion: {w.name('foreseen')}.example.com/{version}\nkind: Lamp\nmetadata: {{name: desk}}\n"


async def announced(w: World) -> dict[str, tuple[Action, str]]:
    """By kind and name: what a pass over the newest commit would do, and why."""
    reconciler, repository = w.sources["shop"], w.repositories["shop"]
    head = (await repository.poll()).snapshot
    assert head is not None
    cluster = w.new_cluster()
    try:
        await cluster.discovery.refresh()
        wanting = Wanting(reconciler.config, reconciler.owner, repository, scopes=cluster.discovery.scopes)
        desired = await wanting.of(head)
        state = await w.state()
        changes = await Previewer(cluster, reconciler.config, reconciler.owner).changes(
            desired.snapshot,
            desired.specs,
            desired.manifests,
            state=state,
            messages=await new_messages(repository, state, "", head.revision.commit),
        )
        return {f"{change.identity.kind}/{change.identity.name}": (change.action, change.reason) for change in changes}
    finally:
        await cluster.close()


@on_both
async def test_what_the_server_refuses_to_make_is_refused_in_the_plan(w: World) -> None:
    repository = await w.started({})
    repository.commit({"bad.yaml": REFUSED, "lost.yaml": LOST, "good.yaml": config("good")})
    plan = await announced(w)
    assert {name: action for name, (action, _) in plan.items()} == {
        "ConfigMap/bad": Action.REFUSE,
        "ConfigMap/lost": Action.REFUSE,
        "ConfigMap/good": Action.CREATE,
    }
    assert "not a key" in plan["ConfigMap/bad"][1]
    assert 'namespaces "nobody-made-this" not found' in plan["ConfigMap/lost"][1]


@on_both
async def test_what_needs_it_waits_and_nothing_beside_it_is_deleted(w: World) -> None:
    repository = await w.started({"old.yaml": config("old")})
    repository.commit({"bad.yaml": REFUSED, "web.yaml": USES_IT, "old.yaml": None})
    plan = await announced(w)
    action, reason = plan["Deployment/web"]
    assert action is Action.HOLD
    assert reason.startswith(f"waits for ConfigMap/{w.space}/bad: ")
    assert plan["ConfigMap/old"] == (Action.KEEP, "waits until the changes beside it have succeeded")
    result = await w.sync()
    said = {f"{i.kind}/{i.name}": each.outcome.value for i, each in result.results.items()}
    assert said == {"ConfigMap/bad": "failed", "Deployment/web": "blocked", "ConfigMap/old": "blocked"}


@on_both
async def test_a_version_that_its_definition_does_not_serve_is_refused(w: World) -> None:
    repository = await w.started({"lamp.yaml": lamp(w, "v1"), "type.yaml": definition(w, "v1")})
    repository.commit({"type.yaml": definition(w, "v2"), "lamp.yaml": lamp(w, "v1") + "spec: {}\n"})
    action, reason = (await announced(w))["Lamp/desk"]
    assert action is Action.REFUSE
    assert "does not serve" in reason


@on_both
async def test_a_trailer_approves_where_no_pass_ever_came_to_its_end(w: World) -> None:
    repository = w.source()
    claim = "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
    precious = f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data}}\n{claim}"
    repository.commit({"namespace.yaml": w.namespace(), "claim.yaml": precious, "lost.yaml": LOST})
    assert not (await w.sync()).ok
    repository.commit({"claim.yaml": None}, "Remove\n\nReconciler-Allow-Prune: 1")
    assert (await announced(w))["PersistentVolumeClaim/data"][0] is Action.PRUNE
    gone = next(each for i, each in (await w.sync()).results.items() if i.kind == "PersistentVolumeClaim")
    assert (gone.action, gone.outcome.value) == (Action.PRUNE, "done")


@on_both
async def test_rule_12_a_namespace_with_something_that_is_kept_stays_whatever_is_approved(w: World) -> None:
    extra = w.name("kept")
    space = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {extra}}}\n"
    inside = config("inside", prune="false").replace("  name: inside", f"  name: inside\n  namespace: {extra}")
    repository = await w.started({"space.yaml": space, "inside.yaml": inside})
    repository.commit({"space.yaml": None, "inside.yaml": None}, "Remove\n\nReconciler-Allow-Prune: 1")
    plan = await announced(w)
    assert plan[f"Namespace/{extra}"] == (Action.HOLD, f"ConfigMap/{extra}/inside is in it, and stays")
    assert plan["ConfigMap/inside"][0] is Action.KEEP
    await w.sync()
    assert await w.get("ConfigMap", "inside", namespace=extra)


@on_both
async def test_a_definition_goes_only_when_nothing_of_its_kind_is_stated(w: World) -> None:
    repository = await w.started({"lamp.yaml": lamp(w, "v1"), "type.yaml": definition(w, "v1")})
    repository.commit({"type.yaml": None}, "Remove\n\nReconciler-Allow-Prune: 1")
    action, reason = next(each for name, each in (await announced(w)).items() if name.startswith("Custom"))
    assert (action, reason) == (
        Action.HOLD,
        f"Lamp/{w.space}/desk is in it, and stays",
    )
    await w.sync()
    assert await w.get("Lamp", "desk", group=f"{w.name('foreseen')}.example.com")


def test_a_full_quota_and_a_webhook_that_denies_are_known_before(kubernetes: KubernetesServer, tmp_path: Path) -> None:
    async def deny(obj: dict[str, Any]) -> None:
        if obj["metadata"]["name"] == "bad":
            raise Denied("bad is not for this place")

    async def scenario() -> None:
        async with kubernetes.world() as w:
            repository = await w.started({"a.yaml": config("a")})
            quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/secrets": "0"}}}
            await w.create(w.path("resourcequotas"), quota)
            await in_force(w, "few", w.path("secrets"), {"metadata": {"name": "more"}})
            secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: more}\n"
            repository.commit({"more.yaml": secret, "bad.yaml": config("bad"), "good.yaml": config("good")})
            async with admission(w, tmp_path, deny):
                plan = await announced(w)
                result = await w.sync()
            assert plan["Secret/more"][0] is Action.REFUSE
            assert "exceeded quota: few" in plan["Secret/more"][1]
            assert plan["ConfigMap/bad"][0] is Action.REFUSE
            assert "bad is not for this place" in plan["ConfigMap/bad"][1]
            assert plan["ConfigMap/good"][0] is Action.CREATE
            outcomes = {i.name: each.outcome.value for i, each in result.results.items()}
            assert outcomes == {"more": "failed", "bad": "failed", "good": "done"}

    kubernetes.run(scenario())
