"""A source that is bound to fewer namespaces than before: what it leaves is kept, and said."""

from both_servers import on_both
from intercepted import hook, refusal
from texts import config, deployment
from virtual import virtual
from world import World, world

from reconciler.http.transport import Request, Response
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.result import Outcome
from reconciler.model.state import Left

MAPS = GroupKind("", "ConfigMap")


def elsewhere(w: World, text: str) -> str:
    """A spec that is stated for the other namespace."""
    return text.replace("metadata:\n", f"metadata:\n  namespace: {w.name('annex')}\n", 1).replace(
        "metadata: {", f"metadata: {{namespace: {w.name('annex')}, ", 1
    )


async def bound(w: World, *words: str) -> None:
    """A new life of the daemon in which the source is bound to these namespaces."""
    await w.restart()
    await w.sources["shop"].close()
    w.source(namespaces=tuple(w.name(word) for word in words))


async def two_namespaces(w: World) -> None:
    await w.started(
        {
            "annex.yaml": w.namespace("annex"),
            "a.yaml": config("a"),
            "b.yaml": elsewhere(w, config("b")),
            "c.yaml": elsewhere(w, config("c")),
            "web.yaml": elsewhere(w, deployment()),
        }
    )


@on_both
async def test_what_is_left_behind_is_kept_and_said(w: World) -> None:
    await two_namespaces(w)
    annex = w.name("annex")
    await bound(w, "shop")
    w.repositories["shop"].commit({"annex.yaml": None, "b.yaml": None, "c.yaml": None, "web.yaml": None})
    result = await w.sync()
    assert result.ok
    left = {each for each in (await w.state()).left if each.count}
    assert left >= {
        Left(MAPS, annex, 2),
        Left(GroupKind("apps", "Deployment"), annex, 1),
        Left(GroupKind("", "Namespace"), "", 1),
    }
    assert await w.get("ConfigMap", "b", namespace=annex)
    assert await w.get("Namespace", annex, namespace="")
    assert (await w.state()).held == ()


@on_both
async def test_what_is_left_behind_is_managed_again_once_its_namespace_is_named_again(w: World) -> None:
    await two_namespaces(w)
    await bound(w, "shop")
    w.repositories["shop"].commit({"annex.yaml": None, "b.yaml": None, "c.yaml": None, "web.yaml": None})
    await w.sync()
    await bound(w, "shop", "annex")
    result = await w.sync()
    assert (await w.state()).left == ()
    pruned = {i.name for i, each in result.results.items() if (each.action, each.outcome) == ("prune", Outcome.DONE)}
    assert {"b", "c", "web"} <= pruned


@virtual
async def test_what_is_left_behind_is_still_known_lives_later_until_it_is_gone() -> None:
    async with world() as w:
        await two_namespaces(w)
        await bound(w, "shop")
        w.repositories["shop"].commit({"annex.yaml": None, "b.yaml": None, "c.yaml": None, "web.yaml": None})
        await w.sync()
        await w.restart()
        await w.sync()
        assert Left(MAPS, "annex", 2) in (await w.state()).left
        for name in "bc":
            await w.call("DELETE", f"/api/v1/namespaces/annex/configmaps/{name}")
        await w.restart()
        await w.sync()
        assert MAPS not in {each.kind for each in (await w.state()).left}


@virtual
async def test_a_namespace_that_may_not_be_read_any_more_is_said_too() -> None:
    narrow = False

    async def forbid(request: Request) -> Response | None:
        return refusal(403, "Forbidden") if narrow and "/namespaces/annex/" in request.path else None

    async with world() as w:
        hook(w, forbid)
        await two_namespaces(w)
        narrow = True
        await bound(w, "shop")
        w.repositories["shop"].commit({"annex.yaml": None, "b.yaml": None, "c.yaml": None, "web.yaml": None})
        assert (await w.sync()).ok
        assert Left(MAPS, "annex", None) in (await w.state()).left


@virtual
async def test_what_another_source_shows_of_it_in_the_same_daemon_is_not_pruned() -> None:
    """The cache is shared: a source that is bound nowhere has the other namespace watched."""
    async with world() as w:
        await two_namespaces(w)
        await bound(w, "shop")
        w.source("wide").commit({"w.yaml": config("w")})
        await w.sync("wide")
        w.repositories["shop"].commit({"b.yaml": None})
        await w.sync()
        assert Identity("", "ConfigMap", "annex", "b") in w.cluster.cache
        assert await w.get("ConfigMap", "b", namespace="annex")


@virtual
async def test_nothing_is_asked_where_nothing_is_left() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")}, namespaces=("shop",))
        before = w.requests()["list", "configmaps"]
        await w.restart()
        await w.sync()
        assert w.requests()["list", "configmaps"] <= before
        assert (await w.state()).left == ()
