"""Specs → Manifests. Pure: no clock, no network, no files; the same values in give the same values out."""

from reconciler.model.manifest import DriftMode, Manifests, Owner
from reconciler.model.plan import Plan
from reconciler.model.spec import Specs
from reconciler.render.assembly import Assembly
from reconciler.render.rendering import Renderings, Settings, render_document
from reconciler.render.surroundings import Surroundings


class Renderer:
    """Renders one source's revisions, one after the other.

    A document's rendering is kept by everything that it reads: its own digest and origin, the images that it names,
    the autoscalers and budgets of the source that concern it, and its part of the plan. So a commit that changes one
    document renders one, and an unchanged object stays the very same Manifest.
    """

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._renderings: Renderings = {}

    def render(self, specs: Specs, plan: Plan, *, owner: Owner, adopt: bool, drift: DriftMode) -> Manifests:
        """All objects of `specs`, complete, stamped and in order; `adopt` and `drift` are the source's settings.

        Never raises for what a document says: one that cannot be rendered safely becomes a Problem and a member of
        `Manifests.unrendered`, and the others are rendered. Documents that make the same object are both left out.
        """
        settings = Settings(owner, adopt, drift)
        kept = self._renderings if settings == self._settings else {}
        around = Surroundings(specs, plan)
        renderings = {}
        rendered = 0
        for identity, document in specs.documents.items():
            view = around.view(document)
            rendering = kept.get(identity)
            if rendering is None or not rendering.holds(document, view, around):
                rendering = render_document(document, view, around, settings)
                rendered += 1
            renderings[identity] = rendering
        self._settings, self._renderings = settings, renderings
        assembly = Assembly(renderings, specs.quarantined)
        return Manifests(
            items=assembly.items(),
            problems=tuple(sorted(assembly.problems.values(), key=lambda p: (p.location, p.message))),
            rendered=rendered,
            unrendered=frozenset(assembly.problems),
        )
