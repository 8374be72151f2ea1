"""What popular applications ship: applied once, and then at rest."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import msgspec
import pytest
from both_servers import on_both
from corpus import a_while, cleared, corpus, foreseen, lives, manifests, plain, sent
from world import World

from reconciler.http.transport import Request
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Live
from reconciler.model.event import EventType
from reconciler.model.manifest import Manifest
from reconciler.model.result import Outcome

GENERIC = {"metadata": {"annotations": {"somebody.example/seen": "1"}, "labels": {"somebody.example/kept": "yes"}}}
RESTARTED = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
# What others add to objects of these kinds in practice.
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "ConfigMap": {"data": {"theirs": "1"}},
    "DaemonSet": RESTARTED,
    "Deployment": RESTARTED,
    "Secret": {"data": {"theirs": "eA=="}},
    "ServiceAccount": {"secrets": [{"name": "theirs"}]},
    "StatefulSet": RESTARTED,
}


async def applied(w: World) -> None:
    """Everything is applied at the first attempt, and its controllers have had a while."""
    w.source().commit(corpus(w))
    result = await w.sync()
    wrong = {str(i): each.message for i, each in result.results.items() if each.outcome is not Outcome.DONE}
    assert not wrong
    assert result.ok
    await a_while(w)
    assert drifted(w) == [], "nobody has touched anything yet"


@on_both(controllers=True)
async def test_what_applications_ship_is_applied_once_and_then_at_rest_whatever_others_write_beside_it(
    w: World,
) -> None:
    async with cleared(w):
        await applied(w)
        stated = await manifests(w)
        assert len(stated) >= 200
        kinds = {identity.group_kind for identity in stated}
        assert len(kinds) >= 25
        assert max(map(len, corpus(w).values())) > 300_000
        versions = {kind: {m.gvk for m in stated.values() if m.gvk.group_kind == kind} for kind in kinds}
        several = [identity for identity in stated if len(versions[identity.group_kind]) > 1]

        await w.written()
        before = w.requests()
        w.repositories["shop"].commit({"README.md": "words"}, "Only words")
        assert not (await w.sync()).results
        await w.written()
        written = w.requests() - before
        assert written.keys() == {("update", "configmaps")}, "only what is remembered of the commit is written"
        assert written.total() <= 2, (
            "that it was seen, and that it was passed, where that took longer than the state's pace"
        )

        changes, requests = await foreseen(w)
        assert [(str(c.identity), c.action, c.reason, c.fields) for c in changes] == []
        assert {verb for verb, _ in requests} == {"get"}, "no dry-run was needed to see it"
        assert 0 < requests.total() < len(several), "some are read once more, in the version that Git states"

        await w.restart()
        assert (await w.sync()).ok
        await asyncio.gather(*(added(w, live) for live in (await lives(w)).values()))
        await a_while(w)
        assert drifted(w) == []
        assert {verb for verb, _ in sent(w.cluster.requests)} <= {"get", "update"}, "and the state that was seen"
        changes, requests = await foreseen(w)
        assert [(str(c.identity), c.action, c.reason, c.fields) for c in changes] == []
        assert {verb for verb, _ in requests} == {"get"}
        assert {live.annotations.get("somebody.example/seen") for live in (await lives(w)).values()} == {"1"}


@on_both
async def test_a_changed_field_of_any_object_is_found_and_it_alone_is_healed(w: World) -> None:
    async with cleared(w):
        await applied(w)
        stated, before = await manifests(w), await lives(w)
        random = Random(11)
        pairs = [(stated[identity], before[identity], Random(random.random())) for identity in sorted(stated)]
        changed = dict(zip(sorted(stated), await asyncio.gather(*(meddled(w, *pair) for pair in pairs)), strict=True))
        assert len(changed) >= 200

        changes, _ = await foreseen(w)
        found = {change.identity: change for change in changes}
        for identity, path in changed.items():
            paths = [re.sub(r"\[[^]]*\]", "", field.path) for field in found[identity].fields]
            assert found[identity].action is Action.UPDATE, (identity, path, found[identity].reason)
            assert len(paths) == 1, (identity, path, paths)
            assert f"{path}.".startswith(f"{paths[0]}."), (identity, path, paths)
        assert found.keys() == changed.keys()

        await w.settled()
        healed = {event.identity for event in w.heard(EventType.HEALED)}
        assert healed == changed.keys()
        after = await lives(w)
        for identity, live in before.items():
            assert plain(live) == plain(after[identity]), (identity, changed[identity])


REFUSED = {
    "Job": "generateName",
    "ConfigMap/twice": "described twice",
    "Orphan/orphan": "never.",
    "Service/wrong-port": "port",
    "Service/port-too-high": "port",
    "ConfigMap/nowhere": "nowhere",
    "ConfigMap/Upper_Case": "Upper_Case",
    "Deployment/no-template": "template",
    "Deployment/other-labels": "selector",
    "Secret/not-base64": "base64",
    "Secret/tls-without-key": "tls.key",
    "Certificate/without-secret": "secretName",
    "PodDisruptionBudget/old-version": "v1beta1",
    "RoleBinding/without-role": "roleRef",
    "Namespace/acme-security": "pod-security",
    "PodDisruptionBudget/no-percent": "maxUnavailable",
    "Service/number-as-name": "targetPort",
    "Deployment/gpu-without-limit": "imit must be set",
    "Prober/float": "cpu",
    "without-kind": "kind",
    "broken.yaml": "expected",
}


@on_both
async def test_what_no_server_takes_is_refused_by_itself_and_says_where_it_stands(w: World) -> None:
    async with cleared(w):
        good, bad = corpus(w), corpus(w, refused=True)
        w.source().commit(good)
        well = (await manifests(w)).keys()
        w.repositories["shop"].commit(bad)
        result = await w.sync()
        assert {i for i in well if result.results[i].outcome is not Outcome.DONE} == set()
        told = "\n".join(str(problem) for problem in result.problems)
        for identity, each in result.results.items():
            if each.outcome is not Outcome.DONE:
                assert each.change is not None
                assert each.change.manifest is not None
                told += (
                    f"\n{each.change.manifest.origin.path}:{each.change.manifest.origin.line} {identity} {each.message}"
                )
        for what, why in REFUSED.items():
            pattern = re.escape(what.replace("acme", "acme" + w.tag.replace("-", ""))).replace("/", "/(?:[^ ]*/)?")
            line = next((one for one in told.splitlines() if re.search(pattern, one)), "")
            assert why in line, (what, why, told)
            assert re.search(r"refused/(wrong|broken)\.yaml:\d+", line), line


def drifted(w: World) -> list[str]:
    return [f"{event.identity} {event.message}" for event in w.heard(EventType.DRIFTED)]


async def added(w: World, live: Live) -> None:
    """Another writer's fields in an object."""
    body: dict[str, Any] = dict(GENERIC)
    if live.object.get("immutable") is not True:
        body |= OTHERS.get(live.identity.kind, {})
    await w.patch(place(w, live), body, by="somebody")


async def meddled(w: World, manifest: Manifest, live: Live, random: Random) -> str:
    """Change one stated field of an object, any that the server lets anybody change; returns its path."""
    paths = [path for path in leaves(manifest.object, ()) if free(path, live.identity) and _at(live.object, path)]
    random.shuffle(paths)
    for path in paths:
        old = _at(live.object, path)
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
        body = [{"op": "replace", "path": pointer, "value": another(old)}]
        if await changes(w, live, body):
            return ".".join(part for part in path if isinstance(part, str))
    pytest.fail(f"nothing of {live.identity} can be changed")


async def changes(w: World, live: Live, patch: Any) -> bool:
    """Whether the server takes a patch, and not only spells the same otherwise."""
    headers = {"content-type": "application/json-patch+json", "accept": "application/json"}
    query = (("fieldManager", "somebody"),)
    response = await w.transport.send(Request("PATCH", place(w, live), query, headers, msgspec.json.encode(patch)))
    if response.status >= 300:
        return False
    return bool(msgspec.json.decode(response.body)["metadata"]["resourceVersion"] != live.resource_version)


def leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Where scalars stand."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    elif value is not None:
        yield path


SETS = ("finalizers", "usages", "validationActions", "volumeLifecycleModes")
KEYS = frozenset({"containerPort", "ip", "key", "mountPath", "name", "port", "protocol", "topologyKey", "type", "uid"})


def free(path: tuple[str | int, ...], identity: Identity) -> bool:
    """Whether a field can be changed without becoming another item of a list, another object or nobody's."""
    if path[0] in ("apiVersion", "kind") or path[:2] in (("metadata", "name"), ("metadata", "namespace")):
        return False
    if path[0] == "metadata" and str(path[-1]).startswith(("reconciler.dev/", "app.kubernetes.io/managed-by")):
        return path[-1] == "reconciler.dev/spec"
    if identity.kind == "CustomResourceDefinition":  # its objects are to stay
        return path[0] == "metadata" or path[-1] == "description"
    if path[-1] == "minReplicas":
        return False  # a real autoscaler acts on it at once, and what it scales stays so for minutes
    if isinstance(path[-1], int) and path[-2] in SETS:
        return False  # what somebody adds to a set stays: it is theirs
    return path[-1] not in KEYS and path[-1] != "kubernetes.io/service-account.name"  # else its controller deletes it


def another(value: Any) -> Any:
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return str(int(value) + 1) if value.isdecimal() else f"{value}x"
    return value + 1


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def place(w: World, live: Live) -> str:
    resource = w.cluster.discovery.resources[live.identity.group_kind]
    version = str(live.object["apiVersion"]).rpartition("/")[2]
    return resource.path(live.identity.namespace, live.identity.name, version=version)
