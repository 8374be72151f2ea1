"""What one document renders to, and all that was read to make it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from reconciler.kube.definitions import defined_kind
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.model.image import Unknown
from reconciler.model.manifest import ANNOTATION_DEPENDS_ON, DriftMode, Manifest, Owner
from reconciler.model.problem import Problem
from reconciler.model.reference import references as listed
from reconciler.model.spec import DeploymentSpec, Document, ObjectSpec, TaskSpec
from reconciler.render.deployment import deployment
from reconciler.render.image import Resolver, stands
from reconciler.render.part import Part
from reconciler.render.passthrough import passthrough
from reconciler.render.policy import Rules, policy, ruled
from reconciler.render.references import references
from reconciler.render.refusal import Refusal
from reconciler.render.stamp import sha256, stamp
from reconciler.render.surroundings import Surroundings
from reconciler.render.task import task
from reconciler.render.view import View


class Settings(NamedTuple):
    """Of the source."""

    owner: Owner
    adopt: bool
    drift: DriftMode
    rules: Rules = Rules()


@dataclass(slots=True)
class Made:
    """One object. `manifest.depends_on` has all that the object refers to, in the source or not; `last` is the manifest
    as it was handed out, kept so that an unchanged one stays the very same value. `defines` is a
    CustomResourceDefinition's kind."""

    manifest: Manifest
    main: bool
    defines: GroupKind | None
    last: Manifest

    def placed(self, depends_on: tuple[Identity, ...], after: tuple[Identity, ...]) -> Manifest:
        """The manifest with its place in the order."""
        if self.last.depends_on != depends_on or self.last.after != after:
            self.last = replace(self.manifest, depends_on=depends_on, after=after)
        return self.last


@dataclass(frozen=True, slots=True)
class Rendering:
    """Of one document: what it makes, or why it makes nothing. `waits` are its explicit references, as written."""

    document: Document
    view: View
    read: Mapping[Identity, str | Unknown | None] = field(default_factory=dict)
    made: tuple[Made, ...] = ()
    waits: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def shape(self) -> tuple[object, ...]:
        """All that the other documents' places depend on: equal shapes fit into one another's place."""
        made = [(m.manifest.identity, m.manifest.depends_on, m.main, m.defines) for m in self.made]
        return (made, self.waits, self.problem)

    def holds(self, document: Document, view: View, around: Surroundings) -> bool:
        """Whether rendering `document` again would give the same, or nothing for want of a digest."""
        old = self.document
        return (
            (old is document or (old.digest == document.digest and old.origin == document.origin))
            and self.view == view
            and all(stands(found, around.images.get(image)) for image, found in self.read.items())
        )


Renderings = Mapping[Identity, Rendering]


def render_document(document: Document, view: View, around: Surroundings, settings: Settings) -> Rendering:
    """Render one document. A Refusal becomes the rendering's problem."""
    resolver = Resolver(around.images, document.identity.namespace)
    try:
        treated = policy(document.annotations, adopt=settings.adopt, drift=settings.drift)
        made = []
        for part in _parts(document, resolver, view):
            identity = Identity.of(part.object)
            obj, digest = stamp(part.object, identity, document, settings.owner, main=part.main)
            origin = document.origin
            own = ruled(treated, identity, (origin.path, *origin.overlays), document.annotations, settings.rules)
            if own.ignore != treated.ignore or own.managers:  # what a rule leaves to others is not what Git states
                digest = sha256(f"{digest} {own.ignore} {own.managers}".encode())
            manifest = Manifest(
                identity,
                GroupVersionKind.of(obj),
                obj,
                document.origin,
                document.identity,
                references(obj, identity),
                own,
                digest,
                once=part.once,
                suspended=part.suspended,
                planned=part.planned,
                portion=part.portion,
            )
            defines = defined_kind(obj) if identity.group_kind == DEFINITION else None
            made.append(Made(manifest, part.main, defines, manifest))
    except Refusal as refusal:
        return Rendering(document, view, resolver.read, problem=refusal.problem(document))
    return Rendering(document, view, resolver.read, tuple(made), _waits(document))


def _parts(document: Document, resolver: Resolver, view: View) -> list[Part]:
    spec = document.spec
    if isinstance(spec, DeploymentSpec):
        return deployment(document, spec, resolver, view)
    if isinstance(spec, TaskSpec):
        return task(document, spec, resolver, view)
    if isinstance(spec, ObjectSpec):
        obj = passthrough(spec.object, document.identity.group_kind, resolver, scaled=view.scaled)
        return [Part(obj, main=True)]
    return []  # an Image is read by others


def _waits(document: Document) -> tuple[str, ...]:
    stated = listed(document.annotations.get(ANNOTATION_DEPENDS_ON, ""))
    if isinstance(document.spec, DeploymentSpec | TaskSpec):
        stated.extend(document.spec.depends_on)
    return tuple(sorted(set(stated)))
