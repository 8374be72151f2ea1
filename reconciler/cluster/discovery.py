"""What the cluster serves: kinds, their plural names, versions and scopes."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from reconciler.clock import Clock
from reconciler.cluster.api import Api, decode
from reconciler.errors import ApiError, NotFound, TransportError
from reconciler.kube.media import JSON
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.resources import Resource, Subresource

_AGGREGATED: Final = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
REFRESH_PAUSE: Final = 1.0  # seconds between two readings, at least
STALE: Final = 30.0  # seconds after which a kind that was unknown is looked for again


class _Wire(msgspec.Struct, rename="camel", frozen=True):
    pass


class _Kind(_Wire, frozen=True):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Subresource(_Wire, frozen=True):
    subresource: str
    response_kind: _Kind | None = None
    verbs: list[str] = []


class _Served(_Wire, frozen=True):
    resource: str
    response_kind: _Kind | None = None
    scope: str = ""
    verbs: list[str] = []
    singular_resource: str = ""
    short_names: list[str] = []
    categories: list[str] = []
    subresources: list[_Subresource] = []


class _Version(_Wire, frozen=True):
    version: str
    resources: list[_Served] = []


class _Named(_Wire, frozen=True):
    name: str = ""


class _Group(_Wire, frozen=True):
    metadata: _Named = _Named()
    versions: list[_Version] = []


class _Aggregated(_Wire, frozen=True):
    kind: str
    items: list[_Group] = []


class _LegacyVersion(_Wire, frozen=True):
    version: str


class _LegacyGroup(_Wire, frozen=True):
    name: str
    versions: list[_LegacyVersion] = []
    preferred_version: _LegacyVersion | None = None


class _LegacyGroups(_Wire, frozen=True):
    groups: list[_LegacyGroup] = []


class _LegacyResource(_Wire, frozen=True):
    name: str
    kind: str
    namespaced: bool
    group: str = ""
    version: str = ""
    verbs: list[str] = []
    singular_name: str = ""
    short_names: list[str] = []
    categories: list[str] = []


class _LegacyResources(_Wire, frozen=True):
    resources: list[_LegacyResource] = []


Table = dict[GroupKind, Resource]


class Discovery:
    """A cache of what the cluster serves, read when first asked.

    `changed` is called after a reading that differs from the one before.
    """

    def __init__(self, api: Api, clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        self._api = api
        self._clock = clock
        self._changed = changed
        self._table: Table | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    @property
    def resources(self) -> Mapping[GroupKind, Resource]:
        """All kinds as of the last reading; empty before the first."""
        return self._table or {}

    async def scopes(self) -> Mapping[GroupKind, bool]:
        """Which kinds are served, and whether they are in namespaces. Read where nothing is known yet; raises then."""
        if not self.resources:
            await self.refresh()
        return {kind: resource.namespaced for kind, resource in self.resources.items()}

    def known(self, kind: GroupKind, version: str | None = None) -> Resource | None:
        """As `resource`, from the last reading alone."""
        return _in_version(self.resources.get(kind), version)

    async def resource(self, kind: GroupKind, version: str | None = None) -> Resource | None:
        """The kind in `version`, else in the version its group prefers; None where the cluster does not serve it.

        Looks again for an unknown kind when the last reading is older than STALE seconds.
        """
        if self._table is None:
            async with self._reading:
                if self._table is None:
                    await self._load()
        found = self.known(kind, version)
        if found is None and self._clock.monotonic() - self._read_at >= STALE:
            await self.refresh()
            found = self.known(kind, version)
        return found

    async def require(self, gvk: GroupVersionKind, patience: float = 0.0) -> Resource:
        """The kind in the version of `gvk` (any, where that is ""). Raises NotFound when the cluster has none.

        `patience` is how many seconds to look for it: an API is served a moment after its definition is established.
        """
        end = self._clock.monotonic() + patience
        found = await self.resource(gvk.group_kind, gvk.version or None)
        while found is None and self._clock.monotonic() < end:
            await self.refresh()
            found = self.known(gvk.group_kind, gvk.version or None)
        if found is None:
            raise NotFound(
                f"the cluster does not serve {gvk}",
                status=404,
                reason="NotFound",
                hint="is its CustomResourceDefinition installed, and does it serve this version?",
            )
        return found

    async def refresh(self) -> None:
        """Read anew. Readings are REFRESH_PAUSE seconds apart; who comes meanwhile shares one that starts later.

        Raises ApiError or TransportError; what was known stays.
        """
        asked = self._clock.monotonic()
        async with self._reading:
            if self._table is not None:
                if self._read_at > asked:
                    return
                await self._clock.sleep(self._read_at + REFRESH_PAUSE - self._clock.monotonic())
            await self._load()

    async def _load(self) -> None:
        started = self._clock.monotonic()
        core, named = await asyncio.gather(self._root("/api"), self._root("/apis"))
        before, self._table, self._read_at = self._table, core | named, started
        if before != self._table:
            self._changed()

    async def _root(self, root: str) -> Table:
        body = await self._api.get(root, accept=f"{_AGGREGATED},{JSON}", subject="discovery")
        aggregated = decode(body, _Aggregated, "discovery")
        if aggregated.kind == "APIGroupDiscoveryList":
            return _table(aggregated.items)
        return await self._legacy(root, body)

    async def _legacy(self, root: str, body: bytes) -> Table:
        """One request for each group and version, for servers before 1.26."""
        if root == "/api":
            groups = [_LegacyGroup("", [_LegacyVersion("v1")])]
        else:
            groups = decode(body, _LegacyGroups, "discovery").groups
        items = await asyncio.gather(*(self._legacy_group(root, group) for group in groups))
        return _table(items)

    async def _legacy_group(self, root: str, group: _LegacyGroup) -> _Group:
        versions = sorted(group.versions, key=lambda v: v != group.preferred_version)  # stable: the preferred first
        found = await asyncio.gather(*(self._legacy_version(root, group.name, v.version) for v in versions))
        return _Group(_Named(group.name), [version for version in found if version is not None])

    async def _legacy_version(self, root: str, group: str, version: str) -> _Version | None:
        path = "/".join(part for part in (root, group, version) if part)
        try:
            body = await self._api.get(path, subject="discovery")
            listed = decode(body, _LegacyResources, "discovery").resources
        except (ApiError, TransportError):
            return None  # an aggregated API whose backend is down must not hide the others
        return _Version(version, [_modern(each, listed) for each in listed if "/" not in each.name])


def _modern(each: _LegacyResource, listed: Iterable[_LegacyResource]) -> _Served:
    """A resource of the older form, with its subresources, which stand beside it there."""
    return _Served(
        each.name,
        _Kind(each.group, each.version, each.kind),
        "Namespaced" if each.namespaced else "Cluster",
        each.verbs,
        each.singular_name,
        each.short_names,
        each.categories,
        [
            _Subresource(sub.name.partition("/")[2], _Kind(sub.group, sub.version, sub.kind), sub.verbs)
            for sub in listed
            if sub.name.startswith(f"{each.name}/")
        ],
    )


def _table(groups: Iterable[_Group]) -> Table:
    table: Table = {}
    for group in groups:
        for version in group.versions:
            for each in version.resources:
                if each.response_kind is None or not each.response_kind.kind:
                    continue
                kind = GroupKind(group.metadata.name, each.response_kind.kind)
                known = table.get(kind)
                if known is None:
                    table[kind] = _resource(kind, version.version, each)
                elif known.plural == each.resource:
                    table[kind] = replace(known, versions=(*known.versions, version.version))
    return table


def _resource(kind: GroupKind, version: str, each: _Served) -> Resource:
    return Resource(
        kind.group,
        version,
        kind.kind,
        each.resource,
        each.singular_resource or kind.kind.lower(),
        tuple(each.short_names),
        each.scope == "Namespaced",
        {sub.subresource: _subresource(kind, version, sub) for sub in each.subresources},
        tuple(each.verbs),
        tuple(each.categories),
        (version,),
    )


def _subresource(kind: GroupKind, version: str, sub: _Subresource) -> Subresource:
    of = sub.response_kind or _Kind()
    return Subresource(sub.subresource, of.group or kind.group, of.version or version, of.kind, tuple(sub.verbs))


def _in_version(resource: Resource | None, version: str | None) -> Resource | None:
    if resource is None or version is None or version == resource.version:
        return resource
    return replace(resource, version=version) if version in resource.versions else None
