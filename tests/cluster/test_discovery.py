"""What a cluster serves is read once, read again when it may have changed, and never too often."""

import asyncio
from typing import Any

import pytest
from virtual import virtual

from reconciler.errors import NotFound, TransportError
from reconciler.http.transport import Response
from reconciler.kube.names import GroupKind, GroupVersionKind

CONFIG_MAP = GroupKind("", "ConfigMap")
WIDGET = GroupKind("example.com", "Widget")


@pytest.mark.parametrize("aggregated", [True, False])
@virtual
async def test_kinds_are_found_however_the_server_tells_them(aggregated: bool, scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.aggregated = aggregated
    server.resources += [("example.com", "Widget", "widgets", False), ("broken.example.com", "Lost", "losts", True)]
    found = await cluster_on(server).discovery.resource(WIDGET)
    assert (found.plural, found.version, found.namespaced) == ("widgets", "v1", False)
    assert (await cluster_on(server).discovery.resource(CONFIG_MAP)).namespaced


@virtual
async def test_it_is_read_once(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    discovery = cluster_on(server).discovery
    await asyncio.gather(*(discovery.resource(CONFIG_MAP) for _ in range(20)))
    assert [request.path for request in server.sent] == ["/api", "/apis"]
    assert await discovery.resource(CONFIG_MAP, "v1")
    assert await discovery.resource(CONFIG_MAP, "v2") is None
    assert len(server.sent) == 2


@virtual
async def test_an_unknown_kind_is_looked_for_again_but_not_at_every_question(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    discovery = cluster_on(server).discovery
    for _ in range(100):
        assert await discovery.resource(WIDGET) is None
        await asyncio.sleep(1)
    assert len(server.sent) <= 2 * 5


@virtual
async def test_a_refresh_is_shared_and_sees_what_was_there_when_it_was_asked_for(
    scripted: Any, cluster_on: Any
) -> None:
    server = scripted()
    discovery = cluster_on(server).discovery
    await discovery.resource(CONFIG_MAP)
    server.resources.append(("example.com", "Widget", "widgets", True))
    await asyncio.gather(*(discovery.refresh() for _ in range(10)))
    assert discovery.known(WIDGET)
    assert len(server.sent) == 4


@virtual
async def test_require_waits_for_an_api_that_is_about_to_be_served(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    discovery = cluster_on(server).discovery
    asyncio.get_running_loop().call_later(3, server.resources.append, ("example.com", "Widget", "widgets", True))
    assert await discovery.require(GroupVersionKind("example.com", "v1", "Widget"), patience=10)
    with pytest.raises(NotFound, match=r"does not serve Widget\.v2\.example\.com"):
        await discovery.require(GroupVersionKind("example.com", "v2", "Widget"), patience=2)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"kind": 5}', b"null"])
@virtual
async def test_garbage_is_an_error_and_what_was_known_stays(body: bytes, scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    discovery = cluster_on(server).discovery
    await discovery.resource(CONFIG_MAP)
    server.always("get", Response(200, {}, body))
    with pytest.raises(TransportError):
        await discovery.refresh()
    assert discovery.known(CONFIG_MAP)
