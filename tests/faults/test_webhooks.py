"""Admission webhooks that stand between Git and the cluster: they refuse, rewrite, quarrel, or do not answer."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

from admission import Denied, Patch, admission, allow, images_of
from kubernetes_server import KubernetesServer
from texts import config, deployment
from world import World

from reconciler.model.change import Action
from reconciler.model.drift import DriftState
from reconciler.model.event import EventType
from reconciler.model.result import ObjectResult, Outcome, SyncResult


def by_name(result: SyncResult) -> dict[str, ObjectResult]:
    return {identity.name: each for identity, each in result.results.items()}


async def data_of(w: World, name: str) -> Any:
    live = await w.get("ConfigMap", name)
    return live and live["data"]["value"]


async def asleep(_obj: dict[str, Any]) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def mended(w: World) -> bool:
    """Whether a pass goes well now. An API server whose patience is a second may lose it with a busy test, too."""
    w.sources["shop"].ask()
    return (await w.sync()).ok


async def touch(w: World, path: str, number: int) -> None:
    """Somebody writes to an object what Git does not state, and the engine has had a look at it."""
    await w.patch(path, {"metadata": {"annotations": {"example.com/touched": str(number)}}})
    await w.settled()


def test_what_a_webhook_rejects_fails_alone_in_its_words_and_prunes_nothing(
    kubernetes: KubernetesServer, tmp_path: Path
) -> None:
    async def only_small(obj: dict[str, Any]) -> None:
        if obj["metadata"]["name"] == "b":
            raise Denied("values above 1 need an approval by the finance team")

    async def scenario() -> None:
        async with kubernetes.world() as w:
            repository = await w.started({f"{name}.yaml": config(name) for name in "abc"})
            async with admission(w, tmp_path, only_small) as hook:
                repository.commit({"a.yaml": config("a", "2"), "b.yaml": config("b", "2"), "c.yaml": None})
                results = by_name(await w.sync())
                assert results["a"].outcome is Outcome.DONE
                assert results["b"].outcome is Outcome.FAILED
                said = results["b"].message
                assert said.startswith(f"ConfigMap/{w.space}/b: ")
                assert 'admission webhook "policy.example.com"' in said
                assert "values above 1 need an approval by the finance team" in said
                assert "webhook" in results["b"].hint
                assert results["c"].outcome is Outcome.BLOCKED
                assert await data_of(w, "c") == "1"
                assert said in [event.message for event in w.heard(EventType.FAILED)]
                assert w.sources["shop"].retry_delay is not None
                hook.verdict = allow
                w.sources["shop"].ask()
                assert (await w.sync()).ok
            assert await data_of(w, "b") == "2"
            assert await w.get("ConfigMap", "c") is None

    kubernetes.run(scenario())


def test_what_a_webhook_adds_is_no_drift(kubernetes: KubernetesServer, tmp_path: Path) -> None:
    async def labelled(obj: dict[str, Any]) -> Patch:
        return [{"op": "add", "path": "/metadata/labels/example.com~1team", "value": "shop"}]

    async def scenario() -> None:
        async with kubernetes.world() as w:
            await w.started({})
            async with admission(w, tmp_path, labelled, mutating=True):
                w.repositories["shop"].commit({"a.yaml": config("a")})
                assert (await w.sync()).ok
                for number in range(3):
                    await touch(w, w.path("configmaps/a"), number)
                assert w.requests()["apply", "configmaps"] == 1
                w.sources["shop"].ask()
                assert not (await w.sync()).results
            assert not w.heard(EventType.DRIFTED)

    kubernetes.run(scenario())


def test_rule_13_a_webhook_that_rewrites_an_image_starts_no_loop(kubernetes: KubernetesServer, tmp_path: Path) -> None:
    async def mirrored(obj: dict[str, Any]) -> Patch | None:
        if obj["kind"] != "Deployment":
            return None
        return [
            {"op": "replace", "path": path, "value": image.replace("example.com/", "mirror.example.com/")}
            for path, image in images_of(obj)
            if image.startswith("example.com/")  # what was rewritten already stays
        ]

    async def scenario() -> None:
        async with kubernetes.world() as w:
            await w.started({})
            async with admission(w, tmp_path, mirrored, mutating=True):
                w.repositories["shop"].commit({"web.yaml": deployment()})
                assert (await w.sync()).ok
                live = await w.get("Deployment", "web", group="apps")
                assert live is not None
                assert [image for _path, image in images_of(dict(live))] == ["mirror.example.com/web:1"]
                for number in range(5):
                    await touch(w, w.path("deployments/web", "apis/apps/v1"), number)
                assert w.requests()["apply", "deployments.apps"] == 2, "one to see that it changes nothing"
                w.repositories["shop"].commit({"a.yaml": config("a")})
                assert by_name(await w.sync()).keys() == {"a"}, "nor does another commit try it again"
                w.repositories["shop"].commit({"web.yaml": deployment(image="example.com/web:2")})
                assert (await w.sync()).ok
                live = await w.get("Deployment", "web", group="apps")
                assert live is not None
                assert [image for _path, image in images_of(dict(live))] == ["mirror.example.com/web:2"]
            assert not w.heard(EventType.DRIFTED)
            assert not w.heard(EventType.HEALED)

    kubernetes.run(scenario())


def test_rule_13_a_webhook_that_does_not_converge_is_told_once_and_left_alone_with_growing_pauses(
    kubernetes: KubernetesServer, tmp_path: Path
) -> None:
    numbers = itertools.count()

    async def different(obj: dict[str, Any]) -> Patch | None:
        if obj["metadata"]["name"] != "a":
            return None
        return [{"op": "replace", "path": "/data/value", "value": f"random {next(numbers)}"}]

    async def scenario() -> None:
        async with kubernetes.world() as w:
            await w.started({})
            async with admission(w, tmp_path, different, mutating=True):
                w.repositories["shop"].commit({"a.yaml": config("a"), "b.yaml": config("b")})
                assert (await w.sync()).ok
                for number in range(8):
                    await touch(w, w.path("configmaps/a"), number)
                assert w.requests()["apply", "configmaps"] == 2 + 2, "one to heal, one to see what it comes to: a pause"
            assert not w.heard(EventType.DRIFTED)
            assert not w.heard(EventType.HEALED), "it is not as Git states it"
            (fought,) = w.heard(EventType.FOUGHT)
            assert "never makes it what Git states" in fought.message
            assert "Git states 1" in fought.message
            assert "admission webhook" in fought.message
            assert fought.drift is not None
            assert fought.drift.state is DriftState.STUBBORN
            (drift,) = w.drifts.open()
            assert drift == fought.drift

    kubernetes.run(scenario())


def test_a_webhook_that_does_not_answer_fails_what_it_guards_at_once_and_nothing_else(
    kubernetes: KubernetesServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with kubernetes.world() as w:
            repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
            async with admission(w, tmp_path, asleep, timeout=1) as hook:
                repository.commit(
                    {
                        "a.yaml": config("a", "2"),
                        "b.yaml": None,
                        "account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop}\n",
                    }
                )
                results = by_name(await w.sync())
                assert results["shop"].outcome is Outcome.DONE
                assert results["a"].outcome is Outcome.FAILED
                assert "policy.example.com" in results["a"].message
                assert "webhook" in results["a"].hint
                assert results["b"].outcome is Outcome.BLOCKED
                assert hook.seen in (["a"], []), "asked once; on a busy machine the second may end before it is"
                assert await data_of(w, "b") == "1"
                hook.verdict = allow
                await w.until(lambda: mended(w))
            assert await data_of(w, "a") == "2"
            assert await w.get("ConfigMap", "b") is None

    kubernetes.run(scenario())


def test_a_webhook_that_may_fail_delays_and_no_more(kubernetes: KubernetesServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with kubernetes.world() as w:
            repository = await w.started({"b.yaml": config("b")})
            async with admission(w, tmp_path, asleep, policy="Ignore", timeout=1):
                repository.commit({"a.yaml": config("a"), "b.yaml": None})
                result = await w.sync()
                assert result.ok
                assert result.count(Action.CREATE) == 1
                assert result.count(Action.PRUNE) == 1

    kubernetes.run(scenario())
