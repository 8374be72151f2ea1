"""The cache equals the server's list, whatever happens on the way, and nobody is in a hurry."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import virtual

from reconciler.errors import Forbidden, TransportError
from reconciler.kube.names import GroupKind, Identity

CONFIG_MAP = GroupKind("", "ConfigMap")
WEB = Identity("", "ConfigMap", "shop", "web")


@virtual
async def test_lists_then_follows(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    server.put("web", "1")
    cluster = cluster_on(server)
    assert await cluster.watch({CONFIG_MAP}) == {}
    assert cluster.listed(CONFIG_MAP)
    truth(server, cluster)
    server.put("web", "2")
    server.put("api", "1")
    await asyncio.sleep(1)
    truth(server, cluster)
    server.drop("web")
    await asyncio.sleep(1)
    assert cluster.cache.get(WEB) is None
    truth(server, cluster)
    await cluster.close()


@virtual
async def test_an_object_that_loses_the_label_leaves_the_cache_rule_14(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    told: list[tuple[Identity, bool, bool]] = []
    cluster.cache.subscribe(lambda identity, old, new: told.append((identity, old is None, new is None)))
    server.put("web", labels={})
    await asyncio.sleep(1)
    assert told == [(WEB, False, True)]
    await cluster.close()


@virtual
async def test_an_idle_hour_costs_watches_only(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    before = len(server.sent)
    for _ in range(60):
        await asyncio.sleep(60)
        await cluster.watch({CONFIG_MAP})  # as every pass does
    assert all(("watch", "1") in request.query for request in server.sent[before:])
    assert server.seen("list") == 1
    await cluster.close()


@virtual
async def test_pages(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    for number in range(1201):
        server.put(f"item-{number:04}")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    truth(server, cluster)
    assert server.seen("list") == 3
    await cluster.close()


@virtual
async def test_a_list_that_expires_between_two_pages_starts_again(
    scripted: Any, cluster_on: Any, truth: Any, failure: Any
) -> None:
    server = scripted()
    for number in range(700):
        server.put(f"item-{number:04}")
    cluster = cluster_on(server)
    server.fail("list", None, failure(410, "Expired"))
    assert await cluster.watch({CONFIG_MAP}) == {}
    truth(server, cluster)
    assert server.seen("list") == 4
    await cluster.close()


@virtual
async def test_410_on_the_watch_lists_again(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    server.put("web")
    server.put("old")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(10)
    server.always("watch", [])  # nothing gets through while things change
    server.cut()
    server.put("web", "2")
    server.drop("old")
    server.compact()
    server.heal()
    await asyncio.sleep(10)
    truth(server, cluster)
    assert server.seen("list") == 2
    await cluster.close()


@virtual
async def test_410_as_an_event_lists_again(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    server.put("web")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(10)
    server.inject(b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}')
    await asyncio.sleep(10)
    truth(server, cluster)
    assert server.seen("list") == 2
    await cluster.close()


@virtual
async def test_a_bookmark_is_where_the_next_watch_begins(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(1)
    server.inject(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"77"}}}')
    await asyncio.sleep(1)
    server.cut()
    await asyncio.sleep(5)
    assert ("resourceVersion", "77") in server.sent[-1].query
    await cluster.close()


@virtual
async def test_a_watch_that_is_cut_mid_line_goes_on_where_it_was(scripted: Any, cluster_on: Any, truth: Any) -> None:
    server = scripted()
    server.put("web")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(1)
    server.inject(b'{"type":"MODIFIED","object":{"metada')
    server.put("web", "2")
    await asyncio.sleep(10)
    truth(server, cluster)
    assert server.seen("list") == 1
    await cluster.close()


@virtual
async def test_one_malformed_object_does_not_hide_the_others(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    server.objects["shop", "broken"] = {
        "metadata": {"name": 5, "labels": server.objects["shop", "web"]["metadata"]["labels"]}
    }
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    assert cluster.cache.of_kind(CONFIG_MAP) == [WEB]
    server.inject(b'{"type":"ADDED","object":{"metadata":{"name":{}}}}')
    server.put("api")
    await asyncio.sleep(1)
    assert [identity.name for identity in cluster.cache.of_kind(CONFIG_MAP)] == ["api", "web"]
    await cluster.close()


@virtual
async def test_forbidden_is_reported_and_tried_again_without_hurry(
    scripted: Any, cluster_on: Any, failure: Any
) -> None:
    server = scripted()
    server.put("web")
    server.always("list", failure(403, "Forbidden"))
    cluster = cluster_on(server)
    found = await cluster.watch({CONFIG_MAP})
    assert isinstance(found[CONFIG_MAP], Forbidden)
    assert not cluster.listed(CONFIG_MAP)
    await asyncio.sleep(3600)
    assert 40 <= server.seen("list") <= 150
    server.heal()
    await asyncio.sleep(61)
    assert cluster.listed(CONFIG_MAP)
    assert cluster.failing() == {}
    await cluster.close()


@virtual
async def test_a_watch_that_ends_at_once_is_no_hot_loop(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.put("web")
    server.always("watch", [])
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(3600)
    assert server.seen("watch") <= 150
    assert server.seen("list") == 1
    await cluster.close()


@virtual
async def test_nor_is_one_that_says_the_same_nonsense_each_time(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    version = server.put("web")
    for line in (
        b'{"type":"ADDED","object":{}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"web","namespace":"shop","resourceVersion":"%d"}}}' % version,
        b'{"type":"ERROR","object":{"code":410}}',
    ):
        server.always("watch", [line])
        cluster = cluster_on(server)
        await cluster.watch({CONFIG_MAP})
        server.sent.clear()
        await asyncio.sleep(3600)
        assert len(server.sent) <= 300
        await cluster.close()


@virtual
async def test_a_kind_that_fails_does_not_stop_another(scripted: Any, cluster_on: Any, failure: Any) -> None:
    server = scripted()
    server.resources.append(("apps", "Deployment", "deployments", True))
    server.put("web")
    server.fail("list", failure(403, "Forbidden"))  # kinds are asked for in order: the core group comes first
    cluster = cluster_on(server)
    deployment = GroupKind("apps", "Deployment")
    found = await cluster.watch({CONFIG_MAP, deployment})
    assert set(found) == {CONFIG_MAP}
    assert cluster.listed(deployment)
    await cluster.close()


@virtual
async def test_an_answer_that_is_no_list_empties_nothing(
    scripted: Any, cluster_on: Any, truth: Any, failure: Any
) -> None:
    server = scripted()
    server.put("web")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    await asyncio.sleep(10)
    garbage = [failure(200), type(failure(200))(200, {}, b"<html>"), type(failure(200))(200, {}, b"{}")]
    server.fail("list", *garbage)
    server.inject(b'{"type":"ERROR","object":{"code":410}}')
    await asyncio.sleep(0.1)
    truth(server, cluster)
    assert isinstance(cluster.failing()[CONFIG_MAP], TransportError)
    await asyncio.sleep(30)
    assert cluster.failing() == {}
    truth(server, cluster)
    await cluster.close()


@virtual
async def test_a_kind_that_comes_later_is_watched_once_it_is_served_rule_15(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    cluster = cluster_on(server)
    widget = GroupKind("example.com", "Widget")
    assert set(await cluster.watch({CONFIG_MAP, widget})) == {widget}
    server.resources.append(("example.com", "Widget", "widgets", True))
    await cluster.discovery.refresh()
    await asyncio.sleep(1)
    assert cluster.listed(widget)
    await cluster.close()


@virtual
async def test_namespaces_narrow_a_watch_and_everywhere_replaces_them(
    scripted: Any, cluster_on: Any, truth: Any
) -> None:
    server = scripted()
    server.put("web")
    server.put("web", namespace="other")
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP}, namespaces=("shop",))
    assert cluster.cache.of_kind(CONFIG_MAP) == [WEB]
    await cluster.watch({CONFIG_MAP})
    truth(server, cluster)
    server.put("api", namespace="other")
    await asyncio.sleep(1)
    truth(server, cluster)
    await cluster.close()


NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES, st.sampled_from(["1", "2"])),
        st.tuples(st.just("unlabel"), NAMES),
        st.tuples(st.just("drop"), NAMES),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 7.0, 700.0])),
        st.tuples(st.just("cut")),
        st.tuples(st.just("compact")),
        st.tuples(st.just("garbage"), st.sampled_from([b"{", b"\xff\xfe", b"null", b'{"type":"ADDED"}', b"[]"])),
        st.tuples(st.just("expire")),
        st.tuples(st.just("fail"), st.sampled_from(["list", "watch"]), st.sampled_from([500, 503, 429, 403, 410, 0])),
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None)
@given(steps=STEPS)
@virtual
async def test_any_history_ends_in_the_server_s_list(
    steps: list[Any], scripted: Any, cluster_on: Any, truth: Any, failure: Any, lost: Any
) -> None:
    server = scripted()
    cluster = cluster_on(server)
    await cluster.watch({CONFIG_MAP})
    for step in steps:
        match step:
            case ("put", name, value):
                server.put(name, value)
            case ("unlabel", name):
                server.put(name, labels={})
            case ("drop", name):
                server.drop(name)
            case ("wait", seconds):
                await asyncio.sleep(seconds)
            case ("cut",):
                server.cut()
            case ("compact",):
                server.compact()
            case ("garbage", line):
                server.inject(line)
            case ("expire",):
                server.inject(b'{"type":"ERROR","object":{"code":410}}')
            case ("fail", verb, code):
                server.fail(verb, failure(code) if code else lost)
    server.heal()
    await asyncio.sleep(130)  # longer than the longest pause
    truth(server, cluster)
    assert cluster.listed(CONFIG_MAP)
    await cluster.close()
