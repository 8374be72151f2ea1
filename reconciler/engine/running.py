"""Which images the workloads of a source run now: what a daemon that starts can know without asking a registry."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.errors import ImageRefused
from reconciler.images.reference import Reference
from reconciler.kube.kinds import CRON_JOB, DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from reconciler.model.config import SourceConfig
from reconciler.render.podspec import pod_spec

_LASTING: Final = (DAEMON_SET, DEPLOYMENT, STATEFUL_SET, CRON_JOB)  # a Job keeps what it ran with


async def running_images(cluster: Cluster, store: StateStore, config: SourceConfig) -> Collection[Reference]:
    """What the containers of a source's lasting workloads run, as far as it has a digest. Raises ApiError."""
    kinds = [kind for kind in _LASTING if kind in (await store.load(config.name)).kinds]
    await cluster.watch(kinds, namespaces=config.namespaces)
    found: set[Reference] = set()
    for live in cluster.cache.of_source(config.name):
        if live.identity.group_kind in kinds:
            found |= set(_pinned(pod_spec(live.identity.group_kind, live.object) or {}))
    return found


def _pinned(spec: Mapping[str, Any]) -> Iterator[Reference]:
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        with suppress(ImageRefused):
            reference = Reference.parse(str(container.get("image") or ""))
            if reference.digest:
                yield reference
