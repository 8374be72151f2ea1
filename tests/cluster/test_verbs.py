"""What the verbs ask of an API server, and what they make of its answers."""

import asyncio
import json
from typing import Any

import pytest
from virtual import virtual

from reconciler.errors import ApiError, BadRequest, Conflict, Invalid, NotFound, TransportError
from reconciler.http.transport import Response
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import Owner

CONFIG_MAP = GroupKind("", "ConfigMap")
WEB = Identity("", "ConfigMap", "shop", "web")
OURS = {"app.kubernetes.io/managed-by": "reconciler", "reconciler.dev/source": "shop"}


def config_map(value: str = "1", name: str = "web", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", "labels": OURS, **metadata},
        "data": {"value": value},
    }


def owned(**metadata: Any) -> dict[str, Any]:
    return config_map(
        annotations={"reconciler.dev/id": "prod/shop//ConfigMap/shop/web"},
        managedFields=[{"manager": "reconciler", "operation": "Apply"}],
        uid="uid-web",
        **metadata,
    )


def change(server: Any, *, uid: str = "uid-web", version: str | None = None) -> Change:
    live = server.objects["shop", "web"]["metadata"]["resourceVersion"]
    return Change(WEB, Action.PRUNE, "gone from Git", uid=uid, resource_version=version or live)


# -- apply


@virtual
async def test_apply_is_one_request_and_the_cache_knows_it_at_once(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    drift: list[tuple[Any, Any]] = []
    cluster.cache.subscribe(lambda _identity, old, new: drift.append((old, new)))
    before = len(server.sent)
    live = await cluster.apply(config_map())
    assert len(server.sent) == before + 1
    assert cluster.cache.get(WEB) == live
    await asyncio.sleep(5)
    assert len(drift) == 1  # the watch brought nothing that the answer had not told
    truth(server, cluster)
    request = server.sent[before]
    assert (request.method, request.path) == ("PATCH", "/api/v1/namespaces/shop/configmaps/web")
    assert dict(request.query) == {"fieldManager": "reconciler", "force": "false", "fieldValidation": "Strict"}
    assert cluster.requests["apply", "configmaps", 200] == 1
    await cluster.close()


@virtual
async def test_an_older_event_does_not_undo_our_write_in_the_cache(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    server.put("web", "0")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(10)
    server.fail("watch", [])  # the watch is away while others and we write
    server.cut()
    server.put("web", "theirs")
    live = await cluster.apply(config_map("ours"))
    seen: list[str] = []
    cluster.cache.subscribe(lambda _identity, _old, new: seen.append(new.version))
    await asyncio.sleep(10)
    assert cluster.cache.get(WEB) == live
    assert seen == []
    await cluster.close()


@virtual
async def test_a_dry_run_changes_nothing_here(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    server.fail("apply", Response(200, {}, json.dumps(owned(resourceVersion="99")).encode()))
    live = await cluster.apply(config_map(), dry_run=True, force=True)
    assert live.uid == "uid-web"
    assert WEB not in cluster.cache
    assert ("dryRun", "All") in server.sent[-1].query
    assert ("force", "true") in server.sent[-1].query
    await cluster.close()


@virtual
async def test_what_is_not_watched_does_not_enter_the_cache(scripted: Any, cluster_on: Any) -> None:
    cluster = cluster_on(scripted())
    await cluster.apply(config_map())
    assert len(cluster.cache) == 0
    await cluster.close()


def conflict(*causes: tuple[str, str]) -> Response:
    details = {
        "causes": [
            {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}" using apps/v1', "field": field}
            for manager, field in causes
        ]
    }
    body = {"kind": "Status", "reason": "Conflict", "code": 409, "message": "Apply failed", "details": details}
    return Response(409, {}, json.dumps(body).encode())


@virtual
async def test_rule_4_a_conflict_names_the_other_manager_and_the_field(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.fail(
        "apply",
        conflict(
            ("kubectl-edit", ".spec.replicas"),
            ("kubectl-edit", '.spec.template.spec.containers[name="web"].image'),
            ("hpa", ".spec.paused"),
        ),
    )
    with pytest.raises(Conflict) as caught:
        await cluster_on(server).apply(config_map())
    assert str(caught.value) == (
        "ConfigMap/shop/web: hpa owns spec.paused; kubectl-edit owns spec.replicas, "
        'spec.template.spec.containers[name="web"].image'
    )


@virtual
async def test_rule_15_a_missing_namespace_is_an_error_with_a_hint(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.missing_namespaces.add("shop")
    with pytest.raises(NotFound) as caught:
        await cluster_on(server).apply(config_map())
    assert "never created implicitly" in caught.value.hint
    assert server.seen("create") == 0


@virtual
async def test_rule_15_a_kind_whose_definition_is_there_is_waited_for(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.resources.append(("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", False))
    cluster = cluster_on(server)
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}
    began = asyncio.get_running_loop().time()
    with pytest.raises(NotFound, match="does not serve"):
        await cluster.apply(widget)
    assert asyncio.get_running_loop().time() - began < 1

    crd = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
    server.put("widgets.example.com", namespace="")
    await cluster.watch({crd})
    asyncio.get_running_loop().call_later(3, server.resources.append, ("example.com", "Widget", "widgets", True))
    assert (await cluster.apply(widget)).identity.name == "w"
    await cluster.close()


@virtual
async def test_a_refused_secret_does_not_show_its_values(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.resources.append(("", "Secret", "secrets", True))
    body = {
        "reason": "Invalid",
        "message": 'Secret "db" is invalid: data[password]: Invalid value: "hunter2"',
        "details": {"causes": [{"field": "data[password]", "message": 'Invalid value: "hunter2"'}]},
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}
    for code in (400, 422, 500):
        server.always("apply", Response(code, {}, json.dumps(body).encode()))
        with pytest.raises(ApiError) as caught:
            await cluster_on(server).apply(secret)
        said = "\n".join(caught.value.diagnostics()) + repr(caught.value.causes) + repr(caught.value)
        assert "hunter2" not in said
        assert "data[password]" in said


@virtual
async def test_a_field_that_the_kind_does_not_have_is_refused_at_once(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    message = "failed to create typed patch object (shop/web; /v1, Kind=ConfigMap): .dta: field not declared in schema"
    server.always("apply", Response(500, {}, json.dumps({"kind": "Status", "message": message}).encode()))
    with pytest.raises(Invalid, match=r"\.dta: field not declared"):
        await cluster_on(server).apply(config_map())
    assert server.seen("apply") == 1


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../secrets/x", "a%2fb"])
@virtual
async def test_a_name_cannot_lead_to_another_path(name: str, scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    with pytest.raises(BadRequest):
        await cluster_on(server).apply(config_map(name=name))
    with pytest.raises(BadRequest):
        await cluster_on(server).get(Identity("", "ConfigMap", name, "web"))
    assert server.sent == []


@virtual
async def test_faults_of_the_api_server_are_lived_with(scripted: Any, cluster_on: Any, failure: Any, lost: Any) -> None:
    server = scripted()
    server.fail("apply", failure(429, **{"retry-after": "2"}), failure(500), lost, failure(503))
    cluster = cluster_on(server)
    assert (await cluster.apply(config_map())).uid
    counted = {kind.code: count for kind, count in cluster.requests.items() if kind.verb == "apply"}
    assert counted == {429: 1, 500: 1, 0: 1, 503: 1, 200: 1}


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"null", b"{", b"\xff"])
@virtual
async def test_garbage_is_an_error_not_a_crash(body: bytes, scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    cluster = cluster_on(server)
    server.always("apply", Response(200, {}, body))
    with pytest.raises(TransportError):
        await cluster.apply(config_map())
    server.always("list", Response(200, {}, body))
    with pytest.raises(TransportError):
        await cluster.list(CONFIG_MAP)
    server.always("list", Response(403, {}, body))
    with pytest.raises(ApiError):
        await cluster.metadata(CONFIG_MAP)


@virtual
async def test_only_so_many_requests_at_a_time(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    most = now = 0
    answer = server.send

    async def slow(request: Any) -> Response:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(1)
        now -= 1
        result: Response = await answer(request)
        return result

    server.send = slow
    cluster = cluster_on(server)
    await asyncio.gather(*(cluster.apply(config_map(name=f"c{n}")) for n in range(50)))
    assert most == 8


# -- read


@virtual
async def test_reads(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    for number in range(1200):
        server.put(f"item-{number:04}", str(number))
    server.put("foreign", labels={}, namespace="other")
    cluster = cluster_on(server)
    everything = await cluster.list(CONFIG_MAP)
    assert len(everything) == 1201
    assert everything == sorted(everything, key=lambda live: live.identity)
    assert len(await cluster.list(CONFIG_MAP, "shop", "app.kubernetes.io/managed-by=reconciler")) == 1200
    listed = await cluster.metadata(CONFIG_MAP, "other")
    live = listed[Identity("", "ConfigMap", "other", "foreign")]
    assert set(live.object) == {"apiVersion", "kind", "metadata"}
    assert "as=PartialObjectMetadataList" in server.sent[-1].headers["accept"]
    assert await cluster.get(WEB) is None
    assert await cluster.get(Identity("example.com", "Widget", "shop", "x")) is None
    with pytest.raises(NotFound):
        await cluster.list(GroupKind("example.com", "Widget"))


# -- delete


@virtual
async def test_rule_10_deletes_carry_preconditions(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    wanted = change(server)
    await cluster_on(server).delete(wanted)
    body = json.loads(server.sent[-1].body)
    assert body["preconditions"] == {"uid": "uid-web", "resourceVersion": wanted.resource_version}
    assert server.objects == {}
    await cluster_on(server).delete(wanted)  # gone already is success
    with pytest.raises(ValueError, match="without its uid"):
        await cluster_on(server).delete(Change(WEB, Action.PRUNE, ""))


@virtual
async def test_rule_10_another_object_of_the_same_name_is_left_alone(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    await cluster_on(server).delete(change(server, uid="uid-of-the-one-before"))
    assert ("shop", "web") in server.objects


@virtual
async def test_rule_10_an_object_that_changed_is_deleted_if_it_still_is_ours(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server._store(owned())
    await cluster_on(server).delete(change(server, version="1"), owner=Owner("prod", "shop"))
    assert server.objects == {}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"annotations": {}}, "no longer ours"),
        ({"managedFields": []}, "no longer ours"),
        ({"ownerReferences": [{"controller": True}]}, "no longer ours"),
        ({"annotations": {"reconciler.dev/id": "prod/api//ConfigMap/shop/web"}}, "no longer ours"),
        (
            {
                "annotations": {
                    "reconciler.dev/id": "prod/shop//ConfigMap/shop/web",
                    "reconciler.dev/prune": "false",
                }
            },
            "reconciler.dev/prune: false",
        ),
    ],
)
@virtual
async def test_rule_10_an_object_that_changed_hands_is_kept(
    changed: dict[str, Any], why: str, scripted: Any, cluster_on: Any
) -> None:
    server = scripted()
    obj = owned()
    obj["metadata"] |= changed
    server._store(obj)
    with pytest.raises(Conflict, match="is kept") as caught:
        await cluster_on(server).delete(change(server, version="1"), owner=Owner("prod", "shop"))
    assert why in caught.value.why
    assert ("shop", "web") in server.objects


@virtual
async def test_a_delete_whose_answer_is_lost_is_done(scripted: Any, cluster_on: Any, lost: Any) -> None:
    server = scripted()
    server.put("web")
    wanted = change(server)
    answer = server.send

    async def forgetful(request: Any) -> Response:
        result: Response = await answer(request)
        if request.method == "DELETE" and result.status == 200:
            raise lost
        return result

    server.send = forgetful
    await cluster_on(server).delete(wanted)
    assert server.seen("delete") == 2


# -- replace


@virtual
async def test_rule_8_what_holds_others_is_never_recreated(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    for api_version, kind in (
        ("v1", "Namespace"),
        ("v1", "PersistentVolume"),
        ("v1", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ):
        obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
        with pytest.raises(Invalid, match="never recreated"):
            await cluster_on(server).replace(obj, uid="1")
    assert server.sent == []


def finalized(server: Any) -> None:
    """Have the server's deletions wait for a finalizer, as a real one does."""

    def delete(live: dict[str, Any], options: dict[str, Any]) -> Response:
        meta = {**live["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/keep"]}
        server._store({**live, "metadata": meta})
        return Response(200, {}, json.dumps(server.objects["shop", "web"]).encode())

    server._delete = delete


@virtual
async def test_rule_8_replace_waits_for_finalizers_by_watching(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web", "old")
    finalized(server)
    asyncio.get_running_loop().call_later(100, server.drop, "web")
    live = await cluster_on(server).replace(config_map("new"), uid="uid-web", timeout=300)
    assert 100 <= asyncio.get_running_loop().time() < 101
    assert live.object["data"] == {"value": "new"}
    assert server.seen("get") <= 4


@virtual
async def test_rule_8_replace_says_what_holds_an_object_back(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web", "old")
    finalized(server)
    with pytest.raises(Conflict, match="not gone 60 s after") as caught:
        await cluster_on(server).replace(config_map("new"), uid="uid-web", timeout=60)
    assert caught.value.why == "waiting for example.com/keep"


@virtual
async def test_replace_does_not_take_what_somebody_made_meanwhile(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web", "old")
    finalized(server)

    def swap() -> None:
        server.cut()
        server.drop("web")
        server._store(config_map("theirs", uid="uid-other"))

    server.always("watch", [])  # nobody sees the deletion
    asyncio.get_running_loop().call_later(10, swap)
    with pytest.raises(Conflict, match="somebody else made"):
        await cluster_on(server).replace(config_map("new"), uid="uid-web")
    assert server.objects["shop", "web"]["data"] == {"value": "theirs"}


# -- handover


@virtual
async def test_rule_6_handover_states_fields_for_the_planner(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    await cluster_on(server).handover(config_map())
    query = dict(server.sent[-1].query)
    assert query["fieldManager"] == "reconciler-planner"
    assert query["force"] == "true"


@virtual
async def test_rule_2_adopting_makes_what_kubectl_applied_ours_first(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    last = "kubectl.kubernetes.io/last-applied-configuration"
    fields = {
        "f:data": {".": {}, "f:value": {}, "f:dropped": {}},
        "f:metadata": {"f:annotations": {f"f:{last}": {}}},
    }
    entries = [
        {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1", "fieldsV1": fields},
        {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:x": {}}}},
    ]
    server._store(config_map(annotations={last: "{}"}, managedFields=entries, uid="uid-web"))
    server.fail("patch", Response(409, {}, b'{"reason":"Conflict"}'))  # somebody wrote meanwhile: read again
    await cluster_on(server).adopt(config_map(), Live(WEB, server.objects["shop", "web"]))
    first, second = (
        request for request in server.sent if request.headers.get("content-type", "").endswith("json-patch+json")
    )
    assert first.body == second.body
    version, managed, annotation = json.loads(second.body)
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "2"}
    assert annotation == {
        "op": "remove",
        "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    }
    edited, ours = managed["value"]
    assert edited["manager"] == "kubectl-edit"
    assert (ours["manager"], ours["operation"]) == ("reconciler", "Apply")
    assert ours["fieldsV1"] == {"f:data": {".": {}, "f:value": {}, "f:dropped": {}}}
