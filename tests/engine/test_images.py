"""Images in a pass: what is known is used, what is not holds those who name it, and nobody else."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from imaged import FILES, Imaged, image, imaged
from signing import Pair, payload_of, simple, tag_of
from texts import config, deployment
from virtual import virtual

from reconciler.images.lock import Locked, changed
from reconciler.images.reference import Reference, digest_of
from reconciler.images.trust import Trust
from reconciler.model.event import EventType
from reconciler.model.imaging import Tags, WriteBack
from reconciler.model.problem import Severity

WEB = {**FILES, "image.yaml": image(), "web.yaml": deployment(image="web")}
PLAIN = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: plain}
spec:
  serviceName: plain
  selector: {matchLabels: {app: plain}}
  template:
    metadata: {labels: {app: plain}}
    spec: {containers: [{name: plain, image: web}]}
"""


def repository(it: Imaged, files: dict[str, str], **source: object) -> None:
    made = it.world.source(**source)
    made.commit({"namespace.yaml": it.world.namespace(), **files}, "Start")


def locked(name: str, tag: str, digest: str) -> str:
    return changed(b"", {f"Image/shop/{name}": Locked(f"r.example.com/{name}", tag, digest)}, "l").decode()


@virtual
async def test_a_build_holds_those_who_name_it_and_nobody_else() -> None:
    async with imaged(seconds=50) as it:
        repository(it, {**WEB, "plain.yaml": PLAIN, "a.yaml": config("a")})
        result = await it.world.sync()
        assert result.ok
        assert await it.world.get("ConfigMap", "a") is not None
        assert await it.runs() == ""
        assert {(p.code, p.severity, str(p.identity)) for p in result.problems} == {
            ("image-unknown", Severity.WARNING, f"{kind}/shop/{name}")
            for kind, name in (("Image", "web"), ("Deployment", "web"), ("StatefulSet", "plain"))
        }
        state = await it.world.state()
        assert [(str(one.identity), one.reason) for one in state.held] == [
            ("Image/shop/web", "the image is being built")
        ]

        await it.works(52)
        digest = it.shop.tags["web"].popitem()[1]
        assert (await it.runs()).endswith(f"@{digest}")
        live = await it.world.get("StatefulSet", "plain", group="apps")
        assert live is not None
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == await it.runs()
        assert (await it.world.state()).held == ()
        assert it.counts.states["shop"] == {"pinned": 1}
        assert [text.partition(" ")[2] for text in it.heard(EventType.BUILDING)] == [
            "begins",
            "runs for 30 s: STEP 1/1: FROM scratch",
        ]
        assert len(it.heard(EventType.BUILT)) == 1


@virtual
async def test_what_a_held_document_made_is_not_pruned() -> None:
    async with imaged(seconds=60) as it:
        exposed = deployment(image="web", extra="  expose: [{port: 80, targetPort: http}]\n")
        repository(it, {**WEB, "web.yaml": exposed, "a.yaml": config("a")})
        await it.world.sync()
        await it.works(62)
        before = await it.runs()
        await it.restart()  # what was rendered is not known any more
        made = it.world.repositories["shop"]
        made.commit({"web/main.py": "new", "a.yaml": None})
        await it.world.sync()
        assert await it.runs() == before
        assert await it.world.get("Service", "web") is not None
        assert await it.world.get("ConfigMap", "a") is None
        await it.works(62)
        assert await it.runs() not in ("", before)


@virtual
async def test_code_and_deployment_are_one_act() -> None:
    async with imaged(seconds=60) as it:
        repository(it, {**WEB, "a.yaml": config("a")})
        await it.world.sync()
        await it.works(62)
        before, writes = await it.runs(), it.world.requests()
        files = {"web/main.py": "new", "web.yaml": deployment(image="web", extra="  replicas: 3\n")}
        it.world.repositories["shop"].commit({**files, "a.yaml": config("a", "2")})
        await it.world.sync()
        live = await it.world.get("Deployment", "web", group="apps")
        assert live is not None
        assert (live["spec"].get("replicas"), await it.runs()) == (1, before)
        assert (it.world.requests() - writes)["apply", "deployments.apps"] == 0
        assert (it.world.requests() - writes)["apply", "configmaps"] == 1, "others do not wait"
        await it.works(62)
        assert await it.runs() != before
        assert (it.world.requests() - writes)["apply", "deployments.apps"] == 1, "both at once"


@virtual
async def test_what_waits_for_new_code_alone_is_cared_for_as_before() -> None:
    """Only the code changed: the workload's objects are still what Git states of them."""
    async with imaged(seconds=60) as it:
        repository(it, {**WEB, "a.yaml": config("a")})
        await it.world.sync()
        await it.works(62)
        before = await it.runs()
        it.world.repositories["shop"].commit({"web/main.py": "new", "a.yaml": None})
        await it.world.sync()
        assert await it.world.get("ConfigMap", "a") is None, "nothing is in doubt, so what left Git goes"
        path = it.world.path("deployments/web", "apis/apps/v1")
        await it.world.patch(path, {"spec": {"minReadySeconds": 7, "revisionHistoryLimit": 1, "paused": True}})
        evil = [{"name": "web", "image": "evil"}]
        await it.world.patch(path, {"spec": {"template": {"spec": {"containers": evil}}}})
        await it.world.settled()
        assert await it.runs() == before, "healed"
        await it.works(62)
        assert await it.runs() != before


@virtual
async def test_a_build_that_fails_is_told_and_changes_nothing() -> None:
    async with imaged() as it:
        repository(it, WEB)
        await it.world.sync()
        await it.works(2)
        before = await it.runs()
        it.builder.fails = True
        made = it.world.repositories["shop"]
        made.commit({"web/main.py": "bad"})
        await it.world.sync()
        made.commit({"a.yaml": config("a")}, "Something else")
        await it.world.sync()
        assert await it.world.get("ConfigMap", "a") is not None
        assert await it.runs() == before
        (event,) = it.world.heard(EventType.IMAGE_HELD)
        assert str(event.identity) == "Image/shop/web"
        assert event.message.endswith("no luck; its log ends: STEP 1/1: FROM scratch | error: it broke")
        assert it.counts.states["shop"] == {"held": 1}

        it.builder.fails = False
        made.commit({"web/main.py": "good"})
        await it.world.sync()
        assert await it.runs() != before
        assert len(it.heard(EventType.PINNED)) == 1
        assert it.counts.builds == ["built", "failed", "built"]


@virtual
async def test_a_build_that_failed_is_tried_again_without_a_commit() -> None:
    async with imaged() as it:
        it.builder.fails = True
        repository(it, WEB)
        await it.world.sync()
        await it.works(300)
        assert it.counts.builds == ["failed"]
        it.builder.fails = False
        await it.works(600)
        assert it.counts.builds == ["failed", "built"]
        assert await it.runs() != ""


@virtual
async def test_one_of_200_contexts_rolls_out_exactly_who_uses_it() -> None:
    async with imaged() as it:
        files = {}
        for n in range(200):
            files[f"s{n}/Containerfile"] = "FROM scratch\n"
            files[f"s{n}.yaml"] = f"{image(f's{n}')}---\n{deployment(f's{n}', f's{n}')}"
        files["other.yaml"] = deployment("other", "s7")
        repository(it, files)
        await it.world.sync()
        await it.works(5)
        assert len(it.builder.built) == 200
        before = {name: await it.runs(name) for name in [*(f"s{n}" for n in range(200)), "other"]}
        assert "" not in before.values()
        it.builder.built.clear()
        requests = it.world.requests()
        it.world.repositories["shop"].commit({"s7/main.py": "new", "README.md": "new"})
        await it.world.sync()
        await it.works(5)
        assert it.builder.built == ["r.example.com/s7"]
        after = {name: await it.runs(name) for name in before}
        assert {name for name in before if before[name] != after[name]} == {"s7", "other"}
        writes = {
            key: n for key, n in (it.world.requests() - requests).items() if key[0] in ("apply", "create", "delete")
        }
        assert writes == {("apply", "deployments.apps"): 2}


@virtual
async def test_a_newer_commit_cancels_the_build() -> None:
    async with imaged(seconds=600) as it:
        repository(it, WEB)
        await it.world.sync()
        it.world.repositories["shop"].commit({"web/main.py": "new"})
        await it.works(2)
        assert it.builder.cancelled == ["r.example.com/web"]
        assert it.counts.running == 1
        it.world.repositories["shop"].commit({"image.yaml": None, "web.yaml": None})
        await it.works(2)
        assert len(it.builder.cancelled) == 2
        assert it.counts.running == 0
        assert it.counts.states["shop"] == {}


@virtual
async def test_two_sources_that_want_the_same_build_it_once() -> None:
    async with imaged(seconds=60) as it:
        repository(it, WEB)
        other = it.world.source("other")
        other.commit({**FILES, "image.yaml": image(), "o.yaml": deployment("other", "web")})
        await it.world.sync()
        await it.world.sync("other")
        await it.works(62)
        await it.works(2, "other")
        assert it.counts.builds == ["built"]
        assert await it.runs() == await it.runs("other") != ""


@virtual
async def test_a_restart_builds_nothing_that_is_there() -> None:
    async with imaged() as it:
        repository(it, WEB)
        await it.world.sync()
        await it.works(2)
        before = await it.runs()
        await it.restart()
        await it.world.sync()
        await it.works(2)
        assert it.counts.builds == ["built"]
        assert await it.runs() == before


@virtual
async def test_a_newer_tag_is_rolled_out_when_nobody_reviews() -> None:
    async with imaged() as it:
        old = it.shop.put("redis", "7.0.0", b"{}")
        repository(it, {"redis.yaml": image("redis", follow='{semver: "^7"}') + "---\n" + deployment("redis", "redis")})
        await it.world.sync()
        await it.works(2)
        assert await it.runs("redis") == f"r.example.com/redis:7.0.0@{old}"
        new = it.shop.put("redis", "7.2.0", b"[]")
        await it.works(360)
        assert await it.runs("redis") == f"r.example.com/redis:7.2.0@{new}"
        assert it.counts.looks == [True]
        (event,) = it.world.heard(EventType.PINNED)
        assert event.message == f"is r.example.com/redis:7.2.0@{new} (registry)"
        before = await it.runs("redis")
        del it.shop.tags["redis"]["7.2.0"]
        del it.shop.tags["redis"]["7.0.0"]
        it.world.events.clear()
        await it.works(1200)
        assert await it.runs("redis") == before, "the last good digest stays"
        assert len(it.world.heard(EventType.IMAGE_HELD)) == 1
        it.shop.put("redis", "7.2.0", b"[]")
        await it.works(3600)
        assert len(it.world.heard(EventType.PINNED)) == 1


@virtual
async def test_digests_are_committed_and_what_is_in_git_runs() -> None:
    async with imaged(WriteBack.COMMIT) as it:
        it.shop.put("redis", "7.0.0", b"{}")
        redis = image("redis", follow='{semver: "^7"}') + "---\n" + deployment("redis", "redis")
        repository(it, {**WEB, "redis.yaml": redis})
        await it.world.sync()
        await it.works(10)
        (message,) = it.branches["shop"].commits
        assert message.startswith("images: 2 images\n")
        assert [event.message.partition(";")[0] for event in it.world.heard(EventType.LOCKED)] == ["images: 2 images"]
        before = await it.runs(), await it.runs("redis")
        requests = it.world.requests()
        it.shop.put("redis", "7.2.0", b"[]")
        await it.works(360)
        assert it.branches["shop"].commits[1].startswith("images: redis from 7.0.0 to 7.2.0\n")
        assert (await it.runs("redis")).startswith("r.example.com/redis:7.2.0@")
        assert (await it.runs()) == before[0]
        assert (it.world.requests() - requests)["apply", "deployments.apps"] == 1
        await it.works(3600)
        assert len(it.branches["shop"].commits) == 2, "no loop"
        assert it.counts.builds == ["built"]


@virtual
async def test_what_is_proposed_does_not_run_before_it_is_merged() -> None:
    async with imaged(WriteBack.REVIEW) as it:
        old = it.shop.put("redis", "7.0.0", b"{}")
        redis = image("redis", follow='{semver: "^7"}') + "---\n" + deployment("redis", "redis")
        repository(it, {"redis.yaml": redis, "images.lock.yaml": locked("redis", "7.0.0", old)})
        await it.world.sync()
        new = it.shop.put("redis", "7.2.0", b"[]")
        await it.works(1200)
        branch = it.branches["shop"]
        assert len(branch.commits) == 1, "said once"
        assert await it.runs("redis") == f"r.example.com/redis:7.0.0@{old}"
        ((path, text),) = branch.reviews["reconciler/images"].items()
        it.world.repositories["shop"].commit({path: text.decode()}, "Merge")
        await it.works(2)
        assert await it.runs("redis") == f"r.example.com/redis:7.2.0@{new}"


@virtual
async def test_a_server_that_takes_no_commit_is_told_once() -> None:
    async with imaged(WriteBack.COMMIT) as it:
        repository(it, WEB)
        await it.world.sync()
        it.branches["shop"].declines = True
        await it.works(3000)
        (event,) = it.world.heard(EventType.IMAGE_HELD)
        assert (event.identity, event.subject) == (None, "images.lock.yaml")
        assert await it.runs() != ""
        it.branches["shop"].declines = False
        await it.works(4000)
        assert [event.subject for event in it.world.heard(EventType.PINNED)] == ["images.lock.yaml"]
        assert len(it.branches["shop"].commits) == 1


@virtual
async def test_suspended_writes_nothing_to_git() -> None:
    async with imaged(WriteBack.COMMIT) as it:
        it.shop.put("redis", "7.0.0", b"{}")
        repository(it, {"redis.yaml": image("redis", tag='"7.0.0"') + "---\n" + deployment("redis", "redis")})
        await it.world.sync()
        await it.works(10)
        it.world.remember(lambda state: replace(state, suspended=True))
        it.shop.put("redis", "7.0.0", b"[]")
        await it.works(1200)
        assert len(it.branches["shop"].commits) == 1


@virtual
async def test_an_image_that_is_not_signed_is_held_until_it_is(tmp_path: Path) -> None:
    ada = Pair(tmp_path, "ada")
    async with imaged(trust=[Trust("r.example.com/", (ada.key,))]) as it:
        digest = it.shop.put("redis", "7", b"{}")
        repository(it, {"redis.yaml": image("redis", tag='"7"') + "---\n" + deployment("redis", "redis")})
        await it.world.sync()
        await it.works(5)
        assert await it.runs("redis") == ""
        (event,) = it.world.heard(EventType.IMAGE_HELD)
        assert "sign" in event.message
        payload = payload_of(digest)
        it.shop.blobs[digest_of(payload)] = payload
        it.shop.put(
            "redis", tag_of(Reference.parse(f"r.example.com/redis@{digest}")), simple(payload, ada.sign(payload))
        )
        await it.works(120)
        assert (await it.runs("redis")).endswith(digest)
        assert len(it.world.heard(EventType.PINNED)) == 1

        # A newer one that is not signed: what runs goes on, and its workload may change otherwise.
        it.shop.put("redis", "7", b"[]")
        more = image("redis", tag='"7"') + "---\n" + deployment("redis", "redis", "  replicas: 2\n")
        await it.works(400)
        assert len(it.world.heard(EventType.IMAGE_HELD)) > 1
        it.world.repositories["shop"].commit({"redis.yaml": more})
        await it.works(5)
        live = await it.world.get("Deployment", "redis", group="apps")
        assert live is not None
        assert live["spec"]["replicas"] == 2
        assert (await it.runs("redis")).endswith(digest)


@virtual
async def test_tags_as_they_are_stated() -> None:
    async with imaged(tags=Tags.AS_STATED) as it:
        repository(it, {"redis.yaml": image("redis", tag='"7"') + "---\n" + deployment("redis", "redis")})
        await it.world.sync()
        assert await it.runs("redis") == "r.example.com/redis:7"
        assert it.registries.seen == []


@virtual
async def test_without_images_nothing_is_asked_or_listed() -> None:
    async with imaged() as it:
        repository(it, {"a.yaml": config("a"), "web.yaml": deployment()})
        await it.world.sync()
        await it.works(1000)
        assert it.registries.seen == []
        assert it.counts.states == {}
        assert it.world.repositories["shop"].trees == 0


@virtual
async def test_a_registry_that_is_down_holds_up_nobody() -> None:
    async with imaged() as it:
        it.registries.hosts.clear()
        repository(
            it,
            {"redis.yaml": image("redis", tag='"7"') + "---\n" + deployment("redis", "redis"), "a.yaml": config("a")},
        )
        begun = it.world.clock.monotonic()
        await it.world.sync()
        assert it.world.clock.monotonic() - begun < 1
        assert await it.world.get("ConfigMap", "a") is not None
        await it.works(90)
        assert len(it.world.heard(EventType.IMAGE_HELD)) == 1
        it.registries.hosts[it.shop.origin] = it.shop
        it.shop.put("redis", "7", b"{}")
        await it.works(600)
        assert (await it.runs("redis")).startswith("r.example.com/redis:7@")
        assert Counter(event.type for event in it.world.events)[EventType.PINNED] == 1


@virtual
async def test_a_restart_beside_a_registry_that_is_down_keeps_what_runs() -> None:
    async with imaged() as it:
        it.shop.put("redis", "7.0.0", b"{}")
        redis = image("redis", follow='{semver: "^7"}') + "---\n" + deployment("redis", "redis")
        repository(it, {"redis.yaml": redis})
        await it.world.sync()
        await it.works(2)
        before = await it.runs("redis")
        it.registries.hosts.clear()
        await it.restart()
        it.world.repositories["shop"].commit({"redis.yaml": redis + "  replicas: 2\n"})
        await it.world.sync()
        await it.works(90)
        live = await it.world.get("Deployment", "redis", group="apps")
        assert live is not None
        assert (live["spec"]["replicas"], await it.runs("redis")) == (2, before)
        assert len(it.world.heard(EventType.IMAGE_HELD)) == 1, "and that nothing newer can be told is said"
        it.world.repositories["shop"].commit({"redis.yaml": redis.replace("^7", "^8")})
        await it.world.sync()
        await it.works(5)
        assert await it.runs("redis") == before, "what no longer fits does not count, and so it is held"
