"""What popular applications ship, looked at again and again: nothing is told, nothing is written."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from admission import Patch, admission
from both_servers import on_both
from corpus import a_while, cleared, corpus, lives
from surveying import surveying
from world import World

from reconciler.model.drift import DriftState
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

CHECKS = 24
TOLD = (EventType.DRIFTED, EventType.HEALED, EventType.RESTORED, EventType.FOUGHT, EventType.CALMED)
NOISY = "noisy"  # a ConfigMap that the webhook never leaves alone, once it is told to


async def helpful(obj: dict[str, Any]) -> Patch | None:
    """What webhooks of meshes, secret stores and cost reports add to what people state."""
    metadata = obj["metadata"]
    patch: Patch = []
    for name, value in (("labels", {}), ("annotations", {})):
        if name not in metadata:
            patch.append({"op": "add", "path": f"/metadata/{name}", "value": value})
    patch.append({"op": "add", "path": "/metadata/labels/cost.example.com~1center", "value": "4711"})
    patch.append({"op": "add", "path": "/metadata/annotations/mesh.example.com~1injected", "value": "yes"})
    template = (obj.get("spec") or {}).get("template")
    if obj["kind"] == "Deployment" and template:
        containers = template["spec"]["containers"]
        if not any(container["name"] == "mesh-proxy" for container in containers):
            proxy = {"name": "mesh-proxy", "image": "mesh.example.com/proxy:1"}
            patch.append({"op": "add", "path": "/spec/template/spec/containers/-", "value": proxy})
        if not any(variable["name"] == "MESH" for variable in containers[0].get("env") or ()):
            variable = {"name": "MESH", "value": "on"}
            where, value = ("/-", variable) if containers[0].get("env") else ("", [variable])
            patch.append({"op": "add", "path": f"/spec/template/spec/containers/0/env{where}", "value": value})
    return patch


class Restless:
    """The same, and one object never comes out twice alike."""

    def __init__(self) -> None:
        self.number = 0

    async def __call__(self, obj: dict[str, Any]) -> Patch | None:
        patch = await helpful(obj)
        if obj["metadata"]["name"] == NOISY and patch is not None:
            self.number += 1
            patch.append({"op": "replace", "path": "/data/value", "value": f"number {self.number}"})
        return patch


@on_both(controllers=True)
async def test_24_full_checks_back_to_back_find_no_drift_and_write_nothing(w: World, tmp_path: Path) -> None:
    w.full_check = 0.1 if w.tag else 60.0
    async with cleared(w):
        files = corpus(w)
        noisy = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {NOISY}}}\ndata: {{value: stated}}\n"
        repository = w.source()
        repository.commit({path: text for path, text in files.items() if path.endswith("namespace.yaml")}, "Begin")
        assert (await w.sync()).ok
        if not w.tag:  # the sandbox has no webhooks
            repository.commit({**files, "noisy.yaml": noisy})
            await at_rest(w)
            return
        spaces = re.findall(r"^    ?namespace: (\S+)$", "\n".join(files.values()), re.MULTILINE)
        async with admission(w, tmp_path, helpful, mutating=True, namespaces=sorted({w.space, *spaces})) as hook:
            repository.commit({**files, "noisy.yaml": noisy})
            await at_rest(w)
            injected = {live.annotations.get("mesh.example.com/injected") for live in (await lives(w)).values()}
            assert "yes" in injected, "the webhook was at work"

            hook.verdict = Restless()
            before = writes(w)
            await w.patch(w.path(f"configmaps/{NOISY}"), {"data": {"value": "edited"}})
            async with surveying(w) as survey:
                (drift,) = (await survey.look()).drifts
            assert (drift.identity.name, drift.state) == (NOISY, DriftState.STUBBORN)
            await checked(w, 4)
            told = [(event.type, event.identity.name if event.identity else "") for event in heard(w)]
            assert Counter(told)[EventType.FOUGHT, NOISY] == 1, told
            assert {name for _, name in told} == {NOISY}
            assert Counter(told)[EventType.HEALED, NOISY] == 0, told
            assert (writes(w) - before).total() <= 4, "growing pauses, no loop"


async def at_rest(w: World) -> None:
    """Everything is applied; then it is checked again and again."""
    result = await w.sync()
    assert {str(i): each.message for i, each in result.results.items() if each.outcome is not Outcome.DONE} == {}
    await a_while(w)
    await w.written()
    assert len(w.sources["shop"].desired.manifests.items) >= 200
    before = writes(w)
    await checked(w, CHECKS)
    assert [f"{event.type} {event.identity} {event.message}" for event in heard(w)] == []
    assert w.drifts.open() == ()
    async with surveying(w) as survey:
        seen = await survey.look()
    assert (seen.drifts, seen.unlike, dict(seen.unread)) == ((), (), {})
    assert writes(w) - before == Counter()


async def checked(w: World, times: int) -> None:
    """Full checks, one after the other: everything is read anew and compared, whatever is remembered of it."""
    source = w.sources["shop"]
    assert source.desired is not None
    kinds = len({identity.group_kind for identity in source.desired.manifests.items})
    for _ in range(times):
        enough = lists(w) + kinds

        async def read(enough: int = enough) -> bool:
            if source.due:  # a Job of a CronJob ended, or went: while a pass waits nothing is checked
                await source.work()
            await source.tend()
            return lists(w) >= enough

        await w.clock.sleep(1.15 * w.full_check)
        await w.until(read)
        await w.clock.sleep(0.02)
        await source.tend()  # what was read is compared


def writes(w: World) -> Counter[tuple[str, str]]:
    """Requests that write, and dry-runs of them. What is remembered of a source is not counted."""
    passed_over = {("update", "configmaps")}
    return Counter(
        {
            key: count
            for key, count in w.requests().items()
            if key[0] not in ("get", "list", "watch") and key not in passed_over and count
        }
    )


def lists(w: World) -> int:
    return sum(count for (verb, _), count in w.requests().items() if verb == "list")


def heard(w: World) -> list[Any]:
    return [event for event in w.events if event.type in TOLD]
