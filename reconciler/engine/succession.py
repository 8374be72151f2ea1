"""Where a document makes other Deployments than before: one for each pool instead of one, or the other way round.

The pods of the old ones run until the new ones are ready, and where nobody states how many there are to be, the new
ones begin with as many as there were: with one at least where an autoscaler is to go on, which scales nothing up from
none.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from reconciler.diff.handover import handing
from reconciler.engine.readiness import ready
from reconciler.kube.kinds import AUTOSCALER, DEPLOYMENT
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import ANNOTATION_SPEC, LABEL_SOURCE, Manifest
from reconciler.model.spec import GROUP
from reconciler.render.deployment import object_of


class Owned(Protocol):
    """What there is of a source: reconciler.cluster.cache.LiveCache."""

    def marked(self, source: str) -> list[Identity]: ...

    def get(self, identity: Identity) -> Live | None: ...


class Succession:
    """Of one revision of `source`: `heirs` are the Deployments that each document makes, `stated` all that is there to
    stay."""

    def __init__(
        self, heirs: Mapping[Identity, Collection[Identity]], stated: Container[Identity], cache: Owned, source: str
    ) -> None:
        self._cache = cache
        self._source = source
        self._stated = stated
        # By document, as the annotation writes it.
        self._heirs = {str(document): made for document, made in heirs.items()}

    @classmethod
    def of(cls, manifests: Mapping[Identity, Manifest], cache: Owned, source: str) -> "Succession":
        """From what is rendered."""
        heirs: dict[Identity, list[Identity]] = defaultdict(list)
        for identity, manifest in manifests.items():
            if manifest.spec.group == GROUP and identity.group_kind == DEPLOYMENT:
                heirs[manifest.spec].append(identity)
        return cls(heirs, manifests, cache, source)

    @cached_property
    def _away(self) -> list[Identity]:
        """What is there and not stated. Few changes ask: who only creates or changes something else does not."""
        return [i for i in self._cache.marked(self._source) if i not in self._stated]

    @cached_property
    def _leaving(self) -> Mapping[str, Sequence[Live]]:
        """The Deployments that a document made and makes no more, by document."""
        found: dict[str, list[Live]] = defaultdict(list)
        for live in filter(None, (self._cache.get(i) for i in self._away if i.group_kind == DEPLOYMENT)):
            document = live.annotations.get(ANNOTATION_SPEC, "")
            if document in self._heirs and not live.metadata.get("deletionTimestamp"):
                found[document].append(live)
        return found

    @property
    def leaving(self) -> frozenset[Identity]:
        """All that is replaced, each Deployment with the autoscaler that we made for it."""
        return frozenset(i for each in self._leaving.values() for i in self._with_autoscalers(each))

    def _with_autoscalers(self, leaving: Iterable[Live]) -> set[Identity]:
        found = {live.identity for live in leaving}
        return found | ({autoscaler_of(each) for each in found} & {*self._away})

    def pods(self, document: Identity, *, all_: bool = False) -> int:
        """How many pods `document` is to have by what is there, where it makes other objects now, or in `all_` cases;
        else 0.

        What a pass that was cut short has begun already is counted twice: better than too few.
        """
        name = str(document)
        if name not in self._leaving and not all_:
            return 0
        there = [live for identity in self._heirs[name] if (live := self._ours(identity)) is not None]
        return sum(map(pods_of, (*self._leaving.get(name, ()), *there)))

    def eased(self, changes: Iterable[Change]) -> list[Change]:
        """`changes`, so that no pod is missed: a part that is to have fewer pods has them until those that are not are
        ready, and an object that is created without a number of pods begins with its part of those that there are.
        From then on the number is anybody's (rule 6), and its autoscaler's once what it replaces goes: as long as that
        carries load, too, an autoscaler would take pods away that are needed then."""
        found = [self._unscaled(self._begun(change)) for change in changes]
        fewer = {change.identity for change in found if _fewer(change)}
        return [_after(change, fewer) if change.identity in fewer else change for change in found]

    def waiting(self, changes: Iterable[Change]) -> dict[Identity, str]:
        """Objects that are to stay, and why: what replaces them is about to change, or is not ready."""
        changing = {change.identity for change in changes}
        found: dict[Identity, str] = {}
        for document, leaving in self._leaving.items():
            unready = [i for i in self._heirs[document] if i in changing or not ready(self._ours(i)).ready]
            if unready:
                names = ", ".join(i.name for i in sorted(unready))
                reason = f"runs until what replaces it is ready: {names}"
                found |= dict.fromkeys(self._with_autoscalers(leaving), reason)
        return found

    def _ours(self, identity: Identity) -> Live | None:
        """One of this source: another's of that name replaces nothing."""
        live = self._cache.get(identity)
        return live if live is not None and live.labels.get(LABEL_SOURCE) == self._source else None

    def _unscaled(self, change: Change) -> Change:
        manifest = change.manifest
        if manifest is None or change.action is not Action.CREATE or change.identity.group_kind != AUTOSCALER:
            return change
        document = str(manifest.spec)
        return replace(change, once=tuple(self._heirs[document])) if document in self._leaving else change

    def _begun(self, change: Change) -> Change:
        manifest = change.manifest
        if manifest is None or change.action is not Action.CREATE or manifest.identity.group_kind != DEPLOYMENT:
            return change
        spec = manifest.object["spec"]
        if not (total := self.pods(manifest.spec)) or "replicas" in spec:
            return change
        count = total if manifest.portion is None else manifest.portion.of(total)
        least = 1 if autoscaler_of(change.identity) in self._stated else 0
        return replace(change, handover={**handing(manifest), "spec": {"replicas": max(count, least)}})


def _fewer(change: Change) -> bool:
    """Whether a part is to have fewer pods."""
    return (
        change.manifest is not None
        and change.manifest.portion is not None
        and any(
            field.path == "spec.replicas"
            and isinstance(field.before, int)
            and isinstance(field.after, int)
            and field.after < field.before
            for field in change.fields
        )
    )


def _after(change: Change, fewer: Container[Identity]) -> Change:
    """`change`, after those parts of the same document are ready that are not to have `fewer` pods.

    Where its pods are to be others, too, the pass waits: who depends on the document means the new ones.
    """
    manifest = change.manifest
    if manifest is None or manifest.portion is None:
        return change
    parts = [object_of(manifest.spec, portion) for portion in manifest.portion.parts]
    others = tuple(part for part in parts if part not in fewer)
    if any(field.path.startswith("spec.") and field.path != "spec.replicas" for field in change.fields):
        return replace(change, manifest=replace(manifest, after=(*manifest.after, *others)))
    return replace(change, once=others)


def autoscaler_of(deployment: Identity) -> Identity:
    """The autoscaler that we make for a Deployment: named as it is."""
    return Identity(AUTOSCALER.group, AUTOSCALER.kind, deployment.namespace, deployment.name)


def pods_of(live: Live) -> int:
    """How many there are to be."""
    count = (live.object.get("spec") or {}).get("replicas")
    return count if isinstance(count, int) else 1
