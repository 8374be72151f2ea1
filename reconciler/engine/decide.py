"""What is to happen to each object: the pure rules of `diff`, fed with what the cluster has.

Pairs that were found equal are remembered by the manifest's digest and the object's resourceVersion, so a pass looks
only at what changed since the last one.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from reconciler.cluster.cluster import Cluster
from reconciler.diff.compare import compare, regained
from reconciler.diff.handover import awaken, handover
from reconciler.engine.attendant import as_seen
from reconciler.engine.autoscalers import Autoscalers, leaving_replicas
from reconciler.engine.bounds import exalted, within
from reconciler.engine.claims import Claims
from reconciler.engine.dry_runs import DryRun
from reconciler.engine.equals import Equals
from reconciler.engine.existing import Existing
from reconciler.engine.runs import Past
from reconciler.engine.schemas import Schemas
from reconciler.engine.succession import Succession, autoscaler_of
from reconciler.errors import ApiError, ReconcilerError
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, FieldChange, Live
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import ANNOTATIONS_OF_CONTROLLERS, Manifest, Owner
from reconciler.model.ownership import Ownership, ownership
from reconciler.render.podspec import pod_spec

_PATIENCE = 10.0  # seconds until a kind whose definition is there must be served
_BREATH = 100  # objects that are compared before others have their turn

logger = logging.getLogger(__name__)


class Decider:
    """Decides for one source. Remembers between passes only what was equal.

    `undecided` are the objects of the last answer that could not be looked at: their kind may not be read. Each is in
    the answer as REFUSE, with the reason; unlike other refusals it is worth trying again.
    """

    def __init__(
        self, config: SourceConfig, owner: Owner, cluster: Cluster, claims: Claims, *, dry_run: DryRun | None = None
    ) -> None:
        self._config = config
        self._owner = owner
        self._cluster = cluster
        self._claims = claims
        self._dry_run: DryRun = dry_run or partial(cluster.apply, dry_run=True)
        self._schemas = Schemas()
        self._autoscalers = Autoscalers(cluster, self._leaving)
        self._existing = Existing(owner, cluster, claims)
        self._equals = Equals()
        self._unserved: set[Identity] = set()
        self.undecided: frozenset[Identity] = frozenset()

    async def changes(
        self,
        manifests: Mapping[Identity, Manifest],
        *,
        past: Past | None = None,
        afresh: bool = False,
        all_: bool = False,
    ) -> list[Change]:
        """One Change for each of `manifests` that may need something done; those that are equal are left out.

        `past` says which Jobs are not to be made (rule 16). Asks the cluster for the metadata of what it does not know
        (rule 2). `afresh` compares what is known to be equal too. `all_`: these are all that the source states, so that
        it can be told what replaces what is there. Raises TransportError, or ApiError where it is not about some kinds.
        """
        for identity, manifest in manifests.items():
            if identity.group_kind == DEFINITION:
                self._schemas.learn(manifest.object)
        past = past or Past()
        cache = self._cluster.cache
        different = [
            m for identity, m in manifests.items() if afresh or not self._equals.holds(m, cache.version(identity))
        ]
        known = past.ended
        unknown = [
            m for m in different if not (m.identity in cache or m.identity in known) and self._within(m.identity)
        ]
        existing, unread = await self._existing.of(unknown)
        existing |= await self._existing.in_their_versions(different)
        found: list[Change] = []
        undecided: set[Identity] = set()
        for number, manifest in enumerate(different):
            if number % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            error = unread.get((manifest.identity.group_kind, manifest.identity.namespace))
            if error is not None and manifest.identity not in self._cluster.cache:
                change = Change(manifest.identity, Action.REFUSE, str(error), manifest=manifest, hint=error.hint)
                undecided.add(manifest.identity)
            else:
                try:
                    there = cache.api_version(manifest.identity)
                    if there not in ("", manifest.gvk.api_version) and manifest.identity not in existing:
                        # A watch event has brought it in another version while others were looked at.
                        existing |= await self._existing.in_their_versions([manifest])
                    change = self._decide(manifest, existing, manifests, past)
                    if any(field.path == "spec.replicas" for field in change.fields):
                        if await self._autoscalers.scaled([manifest]):
                            change = self._decide(leaving_replicas(manifest), existing, manifests, past)
                        elif await self._autoscalers.freed(manifest):
                            # With one that is gone, or goes, as their owner the apply would meet a conflict (rule 4).
                            change = self._counted(change, existing, manifest.object["spec"].get("replicas"))
                    if manifest.identity.kind == "Deployment" and autoscaler_of(manifest.identity) in manifests:
                        live = cache.get(manifest.identity)
                        if live is not None and awaken(manifest, live):
                            change = self._counted(change, existing, 1)  # it scales nothing up from none
                except ReconcilerError:
                    raise
                except Exception as fault:  # a fault of ours with one object must not stop the others
                    logger.exception("%s could not be compared", manifest.identity)
                    reason = f"a fault of reconciler itself: {type(fault).__name__}"
                    change = Change(manifest.identity, Action.REFUSE, reason, manifest=manifest)
                    undecided.add(manifest.identity)
            if change.action in (Action.REFUSE, Action.REPLACE) and change.fields:
                change = await self._judged(change, existing)
            if change.action is Action.NONE and (version := self._cluster.cache.version(manifest.identity)):
                self._equals.note(manifest, version)
            else:
                found.append(change)
        self.undecided = frozenset(undecided)
        return Succession.of(manifests, cache, self._config.name).eased(found) if all_ else found

    async def again(self, change: Change) -> Change:
        """`change`, decided anew where its kind was not served: what is there now may be somebody else's (rule 2).

        Raises ApiError or TransportError.
        """
        manifest = change.manifest
        if manifest is None or manifest.identity not in self._unserved:
            return change
        group = manifest.identity.group
        defined = any(crd.name.endswith(f".{group}") for crd in self._cluster.cache.of_kind(DEFINITION))
        await self._cluster.discovery.require(manifest.gvk, _PATIENCE if defined else 0.0)
        self._unserved.discard(manifest.identity)
        existing, unread = await self._existing.of([manifest])
        for error in unread.values():
            raise error
        return self._decide(manifest, existing, {}, Past())

    def written(self, manifest: Manifest, version: str) -> None:
        """Remember that the object at resourceVersion `version` is what applying `manifest` makes of it.

        However it is spelled there. The version is that of the write's own answer: the cache may be further already.
        """
        self._equals.note(manifest, version)

    def met(self, manifest: Manifest) -> bool:
        """Whether the object was once found, or made, as `manifest` states it."""
        return self._equals.met(manifest)

    def forget(self, manifests: Mapping[Identity, Manifest]) -> None:
        """Keep nothing about objects that are not among `manifests`."""
        self._equals.forget(manifests)
        self._unserved.intersection_update(manifests)

    async def confirmed(self, change: Change, *, force: bool = True) -> bool:
        """Whether applying `change` would change the object: a dry-run answers (rule 13)."""
        live = as_seen(change, self._cluster.cache)
        if live is None or change.manifest is None:
            return True
        live = (await self._existing.in_their_versions([change.manifest])).get(change.identity, live)
        dry = await self._dry_run(change.manifest.object, force=force)
        if not alike(dry, live) or regained(change.fields, self.left(change, dry)):
            return True
        self.written(change.manifest, live.resource_version)
        return False

    def _counted(self, change: Change, existing: Mapping[Identity, Live], count: int | None) -> Change:
        """`change`, which begins with handing over `count` replicas, whoever has set those that there are."""
        live = existing.get(change.identity) or self._cluster.cache.get(change.identity)
        if live is None or change.manifest is None or change.action is not Action.UPDATE:
            return change
        handed = handover(change.manifest, live, self._schemas.of(change.manifest.gvk), replicas=count)
        return replace(change, handover=handed)

    async def _judged(self, change: Change, existing: Mapping[Identity, Live]) -> Change:
        """What seems to need a new object, as the server sees it: it may only spell the same value otherwise."""
        live = existing.get(change.identity) or self._cluster.cache.get(change.identity)
        if live is None or change.manifest is None:
            return change
        try:
            dry = await self._dry_run(change.manifest.object, force=True)
        except ApiError:
            return change
        if alike(dry, live):
            return replace(change, action=Action.NONE, reason="as Git states it", fields=())
        ours = ownership(live, self._owner) in (Ownership.OURS, Ownership.OTHER_SOURCE)
        reason = f"differs: {change.fields[0].path}" if ours else "taken over"
        action, existing_one = (Action.UPDATE, None) if ours else (Action.ADOPT, live)
        return replace(change, action=action, reason=reason, hint="", existing=existing_one)

    def left(self, change: Change, made: Live) -> tuple[FieldChange, ...]:
        """What still differs in the object that carrying out `change` made: others may rewrite what is applied."""
        if change.manifest is None:
            return ()
        schema = self._schemas.of(change.manifest.gvk)
        return compare(change.manifest, made, schema, owner=self._owner).fields

    def _decide(
        self,
        manifest: Manifest,
        existing: Mapping[Identity, Live],
        manifests: Mapping[Identity, Manifest],
        past: Past,
    ) -> Change:
        identity = manifest.identity
        if not self._within(identity):
            spaces = ", ".join(self._config.namespaces)
            hint = "move it there, or into another source"
            return Change(
                identity, Action.REFUSE, f"outside of the source's namespaces: {spaces}", (), manifest, hint=hint
            )
        pod = pod_spec(identity.group_kind, manifest.object)
        if name := exalted(self._config.priorities, pod or {}):
            allowed = ", ".join(self._config.priorities or ()) or "none"
            hint = f"sources[].priorities of the daemon's configuration allows {allowed}"
            return Change(identity, Action.REFUSE, f"its pods may not be of priority {name}", (), manifest, hint=hint)
        cached = self._cluster.cache.get(identity)
        if cached is not None:
            cached = existing.get(identity, cached)
        present = cached or existing.get(identity)
        if present is None and (held := past.forbids(manifest, self._owner.source)) is not None:
            return held
        if present is None and not self._served(identity):
            self._unserved.add(identity)
            return Change(identity, Action.UNCONFIRMED, "its kind is not served yet", manifest=manifest)
        change = compare(
            manifest,
            cached,
            self._schemas.of(manifest.gvk),
            owner=self._owner,
            existing=existing.get(identity),
            released=present is not None and self._existing.released(present),
        )
        namespace = Identity("", "Namespace", "", identity.namespace)
        if change.action is Action.CREATE and namespace in manifests and namespace not in self._cluster.cache:
            return replace(change, action=Action.UNCONFIRMED, reason="its namespace comes with the same commit")
        return change

    def _within(self, identity: Identity) -> bool:
        return within(self._config.namespaces, identity)

    def _served(self, identity: Identity) -> bool:
        return identity.group_kind in self._cluster.kinds

    def _leaving(self, live: Live) -> bool:
        """Whether `live` is this source's, which no longer states it."""
        ours = ownership(live, self._owner) is Ownership.OURS
        return ours and self._claims.released(live.identity, self._owner.source)


def alike(one: Live, other: Live) -> bool:
    """Whether two readings of an object hold the same, apart from its status, who wrote it and when."""
    return _stated(one) == _stated(other)


def _stated(live: Live) -> dict[str, object]:
    metadata = {k: v for k, v in live.metadata.items() if k not in ("managedFields", "resourceVersion", "generation")}
    # An HPA of version 1 has a part of its status among its annotations.
    annotations = {k: v for k, v in live.annotations.items() if k not in ANNOTATIONS_OF_CONTROLLERS}
    return {**live.object, "metadata": {**metadata, "annotations": annotations}, "status": None}
