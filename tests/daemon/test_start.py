"""Who the daemon is when it starts: its name, the one that the cluster keeps, or the one that its objects remember."""

from memory_repository import MemoryRepository
from stored_objects import stored
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.event import EventType
from reconciler.sandbox.server import Sandbox

INSTALL = "/api/v1/namespaces/default/configmaps/reconciler-install"


def repository() -> tuple[MemoryRepository, str]:
    made = MemoryRepository("shop")
    return made, made.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})


async def install_of(sandbox: Sandbox) -> str:
    """The install that the object is marked with."""
    ours = (await stored(sandbox.transport())).ours["ConfigMap/shop/a"]
    mark: str = ours["metadata"]["annotations"]["reconciler.dev/id"]
    return mark.partition("/")[0]


@virtual
async def test_rule_1_an_install_is_named_once_and_kept() -> None:
    sandbox = Sandbox(clock=LoopClock())
    source, commit = repository()
    async with daemon(sandbox.transport(), {"shop": source}, seed=1) as running:
        await running.until(lambda: running.synced(commit))
        first = await install_of(sandbox)
    source, commit = repository()
    async with daemon(sandbox.transport(), {"shop": source}, seed=2) as running:
        await running.until(lambda: running.synced(commit))
        assert running.heard(EventType.READY, source="") == [f"the cluster answers; this is install {first}"]
        assert running.heard(EventType.HELD) == []


@virtual
async def test_rule_1_a_lost_name_is_recovered_from_any_owned_object() -> None:
    sandbox = Sandbox(clock=LoopClock())
    source, commit = repository()
    async with daemon(sandbox.transport(), {"shop": source}, seed=1) as running:
        await running.until(lambda: running.synced(commit))
        first = await install_of(sandbox)
    assert (await sandbox.handle(Request("DELETE", INSTALL))).status == 200
    source, commit = repository()
    async with daemon(sandbox.transport(), {"shop": source}, seed=2) as running:
        await running.until(lambda: running.synced(commit))
        assert running.heard(EventType.HELD) == []
        assert await install_of(sandbox) == first
    assert (await sandbox.handle(Request("GET", INSTALL))).status == 200


@virtual
async def test_rule_1_anothers_objects_do_not_make_us_them() -> None:
    """A second daemon with other sources in the same cluster, whose name is lost: it takes a name of its own."""
    sandbox = Sandbox(clock=LoopClock())
    source, commit = repository()
    async with daemon(sandbox.transport(), {"shop": source}, seed=1) as running:
        await running.until(lambda: running.synced(commit))
        first = await install_of(sandbox)
    assert (await sandbox.handle(Request("DELETE", INSTALL))).status == 200
    other = MemoryRepository("tools")
    commit = other.commit({"ns.yaml": NAMESPACE.replace("shop", "tools"), "a.yaml": config("a")})
    async with daemon(sandbox.transport(), {"tools": other}, seed=2) as running:
        await running.until(lambda: running.heard(EventType.SYNC_FINISHED, EventType.SYNC_FAILED, source="tools"))
        (said,) = running.heard(EventType.READY, source="")
        assert first not in said
