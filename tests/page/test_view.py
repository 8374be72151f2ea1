"""What the page knows of a source at work, and what it never shows."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from html_page import Parsed
from texts import config, deployment
from virtual import virtual
from world import World, world

from reconciler.daemon.healths import Healths
from reconciler.daemon.page.api import document
from reconciler.daemon.page.detail import detail_page
from reconciler.daemon.page.drift import drift_page
from reconciler.daemon.page.history import history_page
from reconciler.daemon.page.journal import Journal
from reconciler.daemon.page.objects import Filter, objects_page
from reconciler.daemon.page.overview import overview
from reconciler.daemon.page.status import Detail, Overall, SourceStatus, Standing
from reconciler.daemon.page.view import DaemonView, Knowledge
from reconciler.kube.names import Identity
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.drift import DriftKind, DriftState
from reconciler.model.health import Status

MAPS = "/api/v1/namespaces/shop/configmaps"
SECRETS = "/api/v1/namespaces/shop/secrets"


class Seen:
    """A view of a world."""

    def __init__(self, made: World, names: tuple[str, ...]) -> None:
        self.world = made
        self.journal = Journal("boot")
        sources = tuple(SourceConfig(name=name, url=f"https://user@git.example.com/{name}") for name in names)
        self.view = DaemonView(DaemonConfig(sources=sources), self.journal, lambda: ["patience"], made.clock)
        self.healths = Healths(made.cluster.cache, "test", made.clock, made.events.append)

    def know(self) -> None:
        """The daemon has found the cluster."""
        made = self.world
        self.view.knowledge = Knowledge("test", made.sources, made.store, made.cluster.cache, self.healths, made.drifts)

    async def overall(self) -> Overall:
        """What is to be seen once everything has settled; asking for it asks nobody else."""
        await self.world.clock.sleep(10)
        for event in self.world.events[self.journal.last :]:
            self.journal(event)
        before = self.world.requests()
        found = self.view.overall()
        assert self.world.requests() == before
        return found

    async def source(self) -> SourceStatus:
        return (await self.overall()).sources[0]

    async def detail(self, kind: str, name: str, group: str = "") -> Detail:
        await self.overall()
        found = self.view.detail(group, kind, "shop", name)
        assert found is not None
        return found


@asynccontextmanager
async def seen(*names: str, controllers: bool = False) -> AsyncIterator[Seen]:
    async with world(controllers=controllers) as made:
        shown = Seen(made, names or ("shop",))
        following = asyncio.create_task(shown.healths.follow())
        try:
            yield shown
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def healths(overall: Overall) -> dict[str, str]:
    return {str(row.identity): row.health.status.value for row in overall.rows}


def words(page: str) -> str:
    return Parsed.of(page).root.words()


@virtual
async def test_before_the_cluster_is_found() -> None:
    async with seen("shop", "blog") as it:
        found = await it.overall()
        assert [source.standing for source in found.sources] == [Standing.STARTING, Standing.STARTING]
        assert found.waiting == ("patience",)
        assert found.sources[0].url == "https://git.example.com/shop"
        assert it.view.detail(None, "ConfigMap", "shop", "a") is None
        assert "Not ready yet: patience" in overview(found)


@virtual
async def test_a_source_that_is_well() -> None:
    async with seen(controllers=True) as it:
        await it.world.started({"a.yaml": config("a"), "web.yaml": deployment()})
        it.know()
        found = await it.overall()
        (source,) = found.sources
        assert (source.standing, source.trouble, source.unreachable) == (Standing.SYNCED, "", "")
        assert source.revision is not None
        assert source.applied is not None
        assert source.applied.commit == source.revision.commit
        assert source.counts[Status.HEALTHY] == source.objects == len(found.rows)
        assert [each.revision.subject for each in source.passes] == ["Start"]
        assert healths(found)["Deployment/shop/web"] == "healthy"
        web = await it.detail("Deployment", "web", "apps")
        assert str(web.row.origin) == "web.yaml:1"
        assert ("reconciler", "Apply") in [(each.author.manager, each.author.operation) for each in web.managers]
        assert web.conditions
        assert web.stated is not None
        assert "needs somebody" not in overview(found)


@virtual
async def test_a_revision_that_waits_and_one_that_fails() -> None:
    async with seen() as it:
        repository = await it.world.started({"a.yaml": config("a")})
        it.know()
        commit = repository.commit({"b.yaml": config("b").replace("{value", "{no key")})
        await it.world.sources["shop"].poll()
        source = await it.source()
        assert (source.standing, source.revision and source.revision.commit) == (Standing.BEHIND, commit)
        await it.world.sources["shop"].work()
        found = await it.overall()
        assert found.sources[0].standing is Standing.FAILING
        assert found.sources[0].trouble
        (failed,) = (event for event in found.wrong if event.identity)
        assert str(failed.identity) == "ConfigMap/shop/b"
        assert "sync failed" in overview(found)
        repository.commit({"b.yaml": None})
        await it.world.sync()
        found = await it.overall()
        assert (found.sources[0].standing, found.wrong) == (Standing.SYNCED, ())


@virtual
async def test_what_is_missing_what_is_kept_and_what_is_held() -> None:
    async with seen() as it:
        many = {f"{letter}.yaml": config(letter) for letter in "cdefghij"}
        repository = await it.world.started(
            {"a.yaml": config("a", drift="alert"), "b.yaml": config("b", prune="false"), **many}
        )
        it.know()
        await it.world.call("DELETE", f"{MAPS}/a")
        repository.commit(dict.fromkeys(("b.yaml", *many)))
        await it.world.sync()
        await it.world.settled()
        found = await it.overall()
        assert healths(found)["ConfigMap/shop/a"] == "missing"
        assert str(found.rows[0].identity) == "ConfigMap/shop/a", "the worst first"
        kept = next(row for row in found.rows if row.identity.name == "b")
        assert (kept.origin, kept.health.status) == (None, Status.HEALTHY)
        assert len(found.sources[0].held) == len(many)
        held = await it.detail("ConfigMap", "c")
        assert held.held is not None
        assert held.held.hint in words(detail_page(held, found))
        assert "reconciler prune" in overview(found)


@virtual
async def test_specs_that_are_wrong_are_said_with_their_place() -> None:
    async with seen() as it:
        repository = await it.world.started({"a.yaml": config("a")})
        it.know()
        repository.commit({"web.yaml": deployment(extra="  replicas: three\n")})
        await it.world.sync()
        (problem,) = (await it.source()).problems
        assert str(problem) in words(overview(await it.overall()))


@virtual
async def test_a_source_that_rests() -> None:
    async with seen() as it:
        await it.world.started({"a.yaml": config("a")})
        it.know()
        assert (await it.source()).standing is Standing.SYNCED
        it.world.remember(lambda state: replace(state, suspended=True))
        assert (await it.source()).standing is Standing.SUSPENDED


@virtual
async def test_drift_while_it_lasts_and_after_its_end() -> None:
    async with seen() as it:
        await it.world.started({"a.yaml": config("a", drift="alert"), "b.yaml": config("b")})
        it.know()
        stamp = it.view.stamp()
        await it.world.patch(f"{MAPS}/a", {"data": {"value": "edited"}}, by="kubectl-edit")
        await it.world.patch(f"{MAPS}/b", {"data": {"value": "edited"}}, by="kubectl-edit")
        await it.world.settled()
        found = await it.overall()
        assert it.view.stamp() != stamp
        (drift,) = found.drifts
        assert (drift.identity.name, drift.kind, drift.state) == ("a", DriftKind.EDITED, DriftState.FOUND)
        assert [(each.identity.name, each.state) for each in found.ended] == [("b", DriftState.HEALED)]
        for page in (drift_page(found, 1), overview(found), detail_page(await it.detail("ConfigMap", "a"), found)):
            assert "kubectl-edit" in page
            assert "edited" in page
        assert "healed" in detail_page(await it.detail("ConfigMap", "b"), found)


@virtual
async def test_no_secret_is_on_any_page() -> None:
    """Values of Secrets: stated in two ways, edited, refused, taken over, deleted."""
    canaries = ["canary-stated", "canary-data", "canary-edited", "canary-by-hand", "canary-refused"]
    encoded = base64.b64encode(b"canary-data").decode()
    head = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {}\n  annotations: {{reconciler.dev/drift: {}}}\n"
    files = {
        "one.yaml": head.format("one", "alert") + "stringData: {key: canary-stated}\n",
        "two.yaml": head.format("two", "heal") + f"data: {{key: {encoded}}}\n",
        "fixed.yaml": head.format("fixed", "heal") + "immutable: true\nstringData: {key: canary-stated}\n",
        "web.yaml": deployment(extra="  env: {KEY: {secretKeyRef: {name: one, key: key}}}\n"),
    }
    async with seen() as it:
        repository = await it.world.started(files)
        it.know()
        edited = base64.b64encode(b"canary-edited").decode()
        for name in ("one", "two"):
            body = {
                "metadata": {
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data":"{edited}"}}'}
                },
                "data": {"key": edited, "more": base64.b64encode(b"canary-by-hand").decode()},
            }
            await it.world.patch(f"{SECRETS}/{name}", body)
        await it.world.settled()
        repository.commit({"fixed.yaml": files["fixed.yaml"].replace("canary-stated", "canary-refused")})
        await it.world.sync()
        found = await it.overall()
        assert [drift.identity.name for drift in found.drifts] == ["one"]
        assert [str(held.identity) for held in found.sources[0].held] == ["Secret/shop/fixed"]
        pages = [overview(found), objects_page(found, Filter(), 1), drift_page(found, 1), history_page(found, 1)]
        pages += [detail_page(await it.detail("Secret", name), found) for name in ("one", "two", "fixed")]
        pages.append(detail_page(await it.detail("Deployment", "web", "apps"), found))
        pages.append(msgspec.json.encode(document(found, Filter()), enc_hook=str).decode())
        pages += [repr(found), repr(it.journal.recent())]
        for canary in canaries:
            for shape in (canary, base64.b64encode(canary.encode()).decode()):
                assert not [page[:60] for page in pages if shape in page]
        assert "Secret/shop/one" in pages[0]


@virtual
async def test_two_kinds_of_one_name_are_told_apart() -> None:
    async with seen() as it:
        await it.world.started({"a.yaml": config("a")})
        it.know()
        await it.overall()
        assert it.view.detail("", "ConfigMap", "shop", "a")
        assert it.view.detail(None, "ConfigMap", "shop", "a")
        assert it.view.detail("apps", "ConfigMap", "shop", "a") is None
        assert it.view.detail("", "ConfigMap", "", "a") is None
        assert Identity("", "ConfigMap", "shop", "a") in [row.identity for row in it.view.overall().rows]
