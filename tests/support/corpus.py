"""The corpus: what popular applications ship, in tests/corpus/data, with names that are a world's own.

`acme` stands in every namespace, group and cluster-scoped name, so that two worlds can live in one cluster. A line that
ends in `# dropped later` is in the first version only, and says `dropme` where the server keeps it.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from big_definition import big_definition
from world import World

from reconciler.engine.preview import preview
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Change, Live
from reconciler.model.manifest import ANNOTATIONS_OF_CONTROLLERS, Manifest

DATA: Final = Path(__file__).parents[1] / "corpus" / "data"
LENIENT: Final = "applied/shop/lenient.yaml"  # kubectl refuses what is in it
BIG: Final = "applied/monitor/10-big.yaml"
WINDOWS: Final = "applied/shop/windows.yaml"
DROPPED: Final = re.compile(r"^.*# dropped later\n", re.MULTILINE)
CRD: Final = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")

# What a server keeps about writes.
WRITTEN: Final = ("generation", "managedFields", "resourceVersion")

Requests = Counter[tuple[str, str]]


def corpus(w: World, *, refused: bool = False, first: bool = False) -> dict[str, str]:
    """The files by path, for the world `w`: what a server takes or, instead, what it or we refuse.

    `first` is the version with the lines that are dropped later.
    """
    folder = "refused" if refused else "applied"
    files = {str(p.relative_to(DATA)): p.read_text(encoding="utf-8") for p in sorted((DATA / folder).rglob("*.*"))}
    if not refused:
        files[BIG] = big_definition()
        files["applied/namespace.yaml"] = w.namespace()
    own = "acme" + w.tag.replace("-", "")
    files = {path: text.replace("acme", own) for path, text in files.items()}
    if not first:
        files = {path: DROPPED.sub("", text) for path, text in files.items()}
    if WINDOWS in files:
        files[WINDOWS] = files[WINDOWS].replace("\n", "\r\n")
    return files


async def manifests(w: World) -> Mapping[Identity, Manifest]:
    """What the source `shop` states now."""
    reconciler = w.sources["shop"]
    poll = await reconciler.poll()
    assert poll.snapshot is not None
    return (await reconciler.wanted(poll.snapshot)).manifests.items


async def lives(w: World) -> dict[Identity, Live]:
    """The objects of the source `shop` as the server has them, each in the version that Git states."""
    stated = (await manifests(w)).values()
    found = await asyncio.gather(*(w.cluster.get(m.identity, m.gvk.version) for m in stated))
    return {live.identity: live for live in found if live is not None}


def plain(live: Live) -> Mapping[str, Any]:
    """An object without its status, without who wrote it and when, and without what controllers note on it."""
    annotations = {k: value for k, value in live.annotations.items() if k not in ANNOTATIONS_OF_CONTROLLERS}
    metadata = {key: value for key, value in live.metadata.items() if key not in WRITTEN}
    return {**live.object, "metadata": {**metadata, "annotations": annotations}, "status": None}


async def foreseen(w: World) -> tuple[list[Change], Requests]:
    """What an engine that has just started finds to do, and the requests that it sent besides lists and watches."""
    reconciler = w.sources["shop"]
    poll = await reconciler.poll()
    assert poll.snapshot is not None
    desired = await reconciler.wanted(poll.snapshot)
    cluster = w.new_cluster()
    try:
        changes = await preview(
            poll.snapshot,
            desired.specs,
            desired.manifests,
            cluster=cluster,
            config=reconciler.config,
            owner=reconciler.owner,
            state=await w.state(),
        )
        return changes, sent(cluster.requests)
    finally:
        await cluster.close()


def sent(requests: Mapping[object, int]) -> Requests:
    """Requests by verb and resource, without those that only follow the cluster."""
    counted: Requests = Counter()
    for key, count in requests.items():
        verb, resource = getattr(key, "verb", ""), getattr(key, "resource", "")
        if verb not in ("list", "watch") and resource != "discovery":
            counted[verb, resource] += count
    return counted


async def a_while(w: World) -> None:
    """Let controllers work: an hour of virtual time, seconds of real time. The engine looks on."""
    for _ in range(8):
        await w.clock.sleep(0.2 if w.tag else 600)
        await w.sources["shop"].work()


@asynccontextmanager
async def cleared(w: World) -> AsyncIterator[None]:
    """Remove what would slow down other worlds of the same cluster."""
    try:
        yield
    finally:
        if w.tag:
            own = "acme" + w.tag.replace("-", "")
            for crd in await w.cluster.list(CRD):
                if own in crd.identity.name:
                    await w.call("DELETE", f"/apis/{CRD.group}/v1/customresourcedefinitions/{crd.identity.name}")
