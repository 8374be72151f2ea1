"""From renderings to one set of manifests: no object twice, and each with its place in the order."""

from collections import defaultdict
from collections.abc import Collection

from reconciler.kube.names import Identity
from reconciler.model.manifest import Manifest
from reconciler.model.reference import ObjectReference
from reconciler.model.spec import GROUP
from reconciler.render.refusal import Refusal, location
from reconciler.render.rendering import Made, Renderings


class Assembly:
    """Built from the renderings of one revision and the identities that are quarantined already.

    A document that cannot take part is left out as a whole and named in `problems`: what it last made is kept, and
    nothing half of it is applied.
    """

    def __init__(self, renderings: Renderings, quarantined: Collection[Identity]) -> None:
        self._renderings = renderings
        self._quarantined = quarantined
        self._groups: dict[str, set[str]] = defaultdict(set)
        self.problems = {i: r.problem for i, r in renderings.items() if r.problem is not None}
        self._refuse_collisions()
        self._after = self._explicit_order()

    def items(self) -> dict[Identity, Manifest]:
        """The manifests, sorted by identity; `depends_on` and `after` lead to manifests among them only."""
        made: dict[Identity, tuple[Made, Identity]] = {}
        for identity, rendering in self._renderings.items():
            if identity not in self.problems:
                for one in rendering.made:
                    made[one.manifest.identity] = (one, identity)
        crds = {one.defines: identity for identity, (one, _) in made.items() if one.defines is not None}
        items = {}
        for identity in sorted(made):
            one, document = made[identity]
            needed = [i for i in one.manifest.depends_on if i in made]
            if crds and (crd := crds.get(identity.group_kind)) is not None:
                needed = sorted({*needed, crd})
            after = self._after.get(document, ()) if one.main else ()
            items[identity] = one.placed(tuple(needed), after)
        return items

    def _refuse_collisions(self) -> None:
        """Neither wins: which one lives now cannot be told here, and taking the wrong one would replace it.

        A quarantined document counts as the maker of its own object, which is kept as it is.
        """
        makers = {identity: identity for identity in self._quarantined}
        twice: dict[Identity, set[Identity]] = {}
        for document, rendering in self._renderings.items():
            for made in rendering.made:
                identity = made.manifest.identity
                first = makers.setdefault(identity, document)
                if first != document:
                    twice.setdefault(identity, {first}).add(document)
        for identity, documents in twice.items():
            for document in self._renderings.keys() & documents:
                others = sorted(self._renderings.keys() & documents - {document})
                places = tuple(location(self._renderings[other].document) for other in others)
                message = f"{identity} would be made by two documents, so neither is applied"
                self._refuse(document, Refusal("made-twice", "", message, hint="rename one of them", also=places))

    def _explicit_order(self) -> dict[Identity, tuple[Identity, ...]]:
        """Objects that each document's main objects wait for, because it says so.

        Who waits for a document that is left out is left out itself: a workload is not to start before the migration
        that it names. Leaving one out may take more with it; it ends when nothing more goes.
        """
        waiting = {i: r for i, r in self._renderings.items() if r.waits and i not in self.problems}
        if not waiting:
            return {}
        for identity in (*self._renderings, *self._quarantined):
            self._groups[identity.kind].add(identity.group)
        while True:
            after = {}
            for identity, rendering in waiting.items():
                try:
                    found = {i for text in rendering.waits for i in self._meant(text, identity)}
                except Refusal as refusal:
                    self._refuse(identity, refusal)
                else:
                    after[identity] = tuple(sorted(found))
            if len(after) == len(waiting):
                return after
            waiting = {i: r for i, r in waiting.items() if i in after}

    def _meant(self, text: str, waiter: Identity) -> list[Identity]:
        """The main objects of the document that `text` refers to, seen from `waiter`; ours before any other kind's."""
        reference = ObjectReference.parse(text)
        groups = sorted(self._groups[reference.kind], key=lambda group: (group != GROUP, group))
        for identity in reference.candidates(waiter.namespace, tuple(groups)):
            if identity in self._quarantined or identity in self.problems:
                break
            if identity in self._renderings:
                return [made.manifest.identity for made in self._renderings[identity].made if made.main]
        raise Refusal("depends-on-invalid", "dependsOn", f"{text} is invalid", hint="repair that first")

    def _refuse(self, document: Identity, refusal: Refusal) -> None:
        self.problems.setdefault(document, refusal.problem(self._renderings[document].document))
