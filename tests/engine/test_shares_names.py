"""A part of shares whose name another document has: who came second is refused, and no pod is lost."""

import pytest
from planned import Planned, planned
from texts import deployment
from virtual import virtual

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
OTHERS = {
    "a document": deployment("web-dear", extra=FOUR),
    "a part": deployment("web", extra=FOUR).replace("name: web}", "name: web-dear}"),
    "an object": PLAIN,
}


async def pods(p: Planned) -> dict[str, int]:
    """Ready pods by the Deployment that they are of."""
    found: dict[str, int] = {}
    for pod in await p.pods():
        name = pod["metadata"]["ownerReferences"][0]["name"].rpartition("-")[0]
        found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize("stated", [FOUR, SCALE], ids=["replicas", "scale"])
@pytest.mark.parametrize("other", [OTHERS["a document"], OTHERS["an object"]], ids=["document", "object"])
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
    async with planned() as p:
        w = p.w
        pair = {
            "web.yaml": deployment(extra=FOUR + "  placement: {shares: {cheap: 50%, x-dear: 50%}}\n"),
            "web-x.yaml": deployment("web-x", extra=FOUR + SHARED),
        }
        await w.started({"web-x.yaml": pair["web-x.yaml"]})
        await p.running(4)
        w.repositories["shop"].commit(pair, "Both")
        result = await w.sync()
        assert {problem.code for problem in result.problems} <= {"made-twice", "unknown-pool"}
        await w.settled()
        assert await pods(p) == {"web-x-cheap": 2, "web-x-dear": 2}
