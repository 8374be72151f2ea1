"""Specs → Manifests. Pure: no clock, no network, no files.

The same values in give the same values out, but for documents that wait for the digest of an image.
"""

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.kube.names import Identity
from reconciler.model.config import DriftRule
from reconciler.model.filled import NOTHING, Filling
from reconciler.model.image import Pinned
from reconciler.model.manifest import DriftMode, Manifests, Owner
from reconciler.model.spec import Specs
from reconciler.render.assembly import Assembly
from reconciler.render.policy import Rules
from reconciler.render.rendering import Renderings, Settings, render_document
from reconciler.render.surroundings import Pools, Surroundings


class Renderer:
    """Renders one source's revisions, one after the other.

    A document's rendering is kept by everything that it reads: its own digest and origin, the images that it names,
    the autoscalers and budgets of the source that concern it, its pool, and what was filled in for it. So a commit that
    changes one
    document renders one, and an unchanged object stays the very same Manifest.
    """

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._quarantined: frozenset[Identity] = frozenset()
        self._renderings: Renderings = {}
        self._last = Manifests({})

    def render(
        self,
        specs: Specs,
        filling: Filling = NOTHING,
        *,
        owner: Owner,
        adopt: bool,
        drift: DriftMode,
        drift_rules: tuple[DriftRule, ...] = (),
        pools: Pools = MappingProxyType({}),
        images: Pinned | None = None,
    ) -> Manifests:
        """All objects of `specs`, complete, stamped and in order.

        `filling` is what was decided where they leave something open. `images` says what each Image means, None: what
        its document alone says. A document that names one of which that is Unknown stays what it was rendered to
        before, if it did not change itself; else it is not rendered. The rest are the source's settings.

        Never raises for what a document says: one that cannot be rendered safely becomes a Problem and a member of
        `Manifests.unrendered`, and the others are rendered. Documents that make the same object are both left out.
        """
        settings = Settings(owner, adopt, drift, Rules(drift_rules, specs.rules, specs.ruled))
        kept = self._renderings if settings == self._settings else {}
        around = Surroundings(specs, filling, pools, images)
        renderings = {}
        anew = []
        for identity, document in specs.documents.items():
            view = around.view(document)
            rendering = kept.get(identity)
            if rendering is None or not rendering.holds(document, view, around):
                rendering = render_document(document, view, around, settings)
                anew.append(identity)
            renderings[identity] = rendering
        fits = (
            settings == self._settings
            and len(kept) == len(renderings)
            and not self._last.problems
            and self._quarantined == specs.quarantined
            and all(identity in kept and kept[identity].shape == renderings[identity].shape for identity in anew)
        )
        manifests = _exchange(self._last, renderings, anew) if fits else _assemble(specs, renderings, len(anew))
        self._settings, self._quarantined = settings, specs.quarantined
        self._renderings, self._last = renderings, manifests
        return manifests

    def users(self) -> Mapping[Identity, list[Identity]]:
        """The documents that name each Image, of what was rendered last."""
        found: dict[Identity, list[Identity]] = {}
        for identity, rendering in self._renderings.items():
            for image, reference in rendering.read.items():
                if reference is not None:
                    found.setdefault(image, []).append(identity)
        return found


def _assemble(specs: Specs, renderings: Renderings, rendered: int) -> Manifests:
    assembly = Assembly(renderings, specs.quarantined)
    return Manifests(
        items=assembly.items(),
        problems=tuple(sorted(assembly.problems.values(), key=lambda p: (p.location, p.message))),
        rendered=rendered,
        unrendered=frozenset(assembly.problems),
    )


def _exchange(last: Manifests, renderings: Renderings, anew: list[Identity]) -> Manifests:
    """`last` with the objects of some documents exchanged for others that take the same places."""
    items = dict(last.items)
    for identity in anew:
        for made in renderings[identity].made:
            old = items[made.manifest.identity]
            items[made.manifest.identity] = made.placed(old.depends_on, old.after)
    return Manifests(items, rendered=len(anew))
