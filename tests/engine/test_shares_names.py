"""A part of shares whose name another document has: who came second is refused, and no pod is lost."""

import pytest
from planned import Planned, planned
from texts import deployment
from virtual import virtual
from world import world

from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

FOUR = "  replicas: 4\n  resources: {requests: {cpu: 100m, memory: 64Mi}}\n"
SCALE = "  scale: {min: 4, max: 9, target: {cpu: 65%}}\n  resources: {requests: {cpu: 100m, memory: 64Mi}}\n"
SHARED = "  placement: {shares: {cheap: 50%, dear: 50%}}\n"
PLAIN = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-dear}
spec:
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: other, image: "example.com/other:1"}]}
"""
DOCUMENT = deployment("web-dear", extra=FOUR)


async def pods(p: Planned) -> dict[str, int]:
    """Ready pods by the Deployment that they are of."""
    found: dict[str, int] = {}
    for pod in await p.pods():
        name = pod["metadata"]["ownerReferences"][0]["name"].rpartition("-")[0]
        found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize("stated", [FOUR, SCALE], ids=["replicas", "scale"])
@pytest.mark.parametrize("other", [DOCUMENT, PLAIN], ids=["document", "object"])
def test_rule_2_a_part_named_as_another_sources_object_is_refused_and_what_ran_goes_on(stated: str, other: str) -> None:
    @virtual
    async def scenario() -> None:
        async with planned() as p:
            w = p.w
            first = await w.started({"web.yaml": deployment(extra=stated)})
            second = w.source("second")
            second.commit({"other.yaml": other})
            assert (await w.sync("second")).ok
            theirs = 4 if "apps/v1" not in other else 1
            await p.running(4 + theirs)
            first.commit({"web.yaml": deployment(extra=stated + SHARED)}, "Share")
            result = await w.sync()
            refused = result.results[Identity("apps", "Deployment", "shop", "web-dear")]
            assert (refused.action, refused.outcome) == (Action.REFUSE, Outcome.HELD)
            assert "source second" in refused.message
            for _ in range(10):
                await w.clock.sleep(30)
                await w.settled()
            now = await pods(p)
            assert (now["web"], now["web-dear"]) == (4, theirs), "what is replaced goes on, and theirs is left alone"
            assert not w.heard(EventType.PRUNED) or "HorizontalPodAutoscaler" in {
                each.identity.kind for each in w.heard(EventType.PRUNED) if each.identity
            }
            second.commit({"other.yaml": None}, "Let go")
            await w.sync("second")
            w.sources["shop"].ask()
            result = await w.sync()
            refused = result.results[Identity("apps", "Deployment", "shop", "web-dear")]
            assert (refused.action, refused.message) == (Action.REFUSE, "spec.selector is immutable")
            assert "reconciler.dev/replace" in refused.hint
            await w.call("DELETE", w.path("deployments/web-dear", "apis/apps/v1"))

            async def over() -> bool:
                return (await pods(p)).keys() == {"web-cheap", "web-dear"}

            await w.works_until(over)
            assert sum((await pods(p)).values()) >= 4

    scenario()


@virtual
async def test_rule_2_parts_of_two_sources_with_the_same_names_stay_with_who_has_them_until_they_are_let_go() -> None:
    async with planned() as p:
        w = p.w
        first = await w.started({"web.yaml": deployment(extra=FOUR)})
        second = w.source("second")
        second.commit({"web.yaml": deployment(extra=FOUR + SHARED)})
        await w.sync("second")
        await p.running(8)
        first.commit({"web.yaml": deployment(extra=FOUR + SHARED)}, "Share")
        result = await w.sync()
        refused = {i.name for i, each in result.results.items() if each.action is Action.REFUSE}
        assert {"web-cheap", "web-dear"} <= refused
        for _ in range(3):
            await w.clock.sleep(30)
            await w.settled()
        assert await pods(p) == {"web": 4, "web-cheap": 2, "web-dear": 2}
        second.commit({"web.yaml": None}, "Let go")
        await w.sync("second")
        w.sources["shop"].ask()

        async def over() -> bool:
            return await pods(p) == {"web-cheap": 2, "web-dear": 2}

        await w.works_until(over)
        live = await w.get("Deployment", "web-dear", group="apps")
        assert live is not None
        assert live["metadata"]["labels"]["reconciler.dev/source"] == "shop"


@virtual
async def test_in_one_source_neither_document_is_rendered_and_what_both_made_is_kept() -> None:
    async with planned() as p:
        w = p.w
        repository = await w.started(
            {"web.yaml": deployment(extra=FOUR), "other.yaml": deployment("web-dear", extra=FOUR)}
        )
        await p.running(8)
        repository.commit({"web.yaml": deployment(extra=FOUR + SHARED)}, "Share")
        result = await w.sync()
        assert {problem.code for problem in result.problems} == {"made-twice"}
        for _ in range(3):
            await w.clock.sleep(30)
            await w.settled()
        assert await pods(p) == {"web": 4, "web-dear": 4}
        assert w.heard(EventType.INVALID)


@virtual
async def test_two_documents_whose_parts_have_one_name_are_refused() -> None:
    async with world() as w:
        first = deployment("web-x", extra=FOUR + SHARED)
        other = deployment(extra=FOUR + SHARED.replace("dear", "x-dear"))
        repository = await w.started({"web-x.yaml": first})
        repository.commit({"web-x.yaml": first.replace("web:1", "web:2"), "web.yaml": other}, "Both")
        result = await w.sync()
        assert {problem.code for problem in result.problems} == {"made-twice"}
        assert {problem.location.path for problem in result.problems} == {"web-x.yaml", "web.yaml"}
        await w.settled()
        found = await w.call("GET", w.path("deployments", "apis/apps/v1"))
        images = {
            each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
            for each in found["items"]
        }
        assert images == dict.fromkeys(("web-x-cheap", "web-x-dear"), "example.com/web:1")
