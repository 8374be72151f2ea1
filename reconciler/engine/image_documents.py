"""From Image documents to what is to be looked up, and from what was found to what is rendered and shown. Pure."""

import hashlib
from typing import Final

from reconciler.engine.image_telling import failure, told
from reconciler.engine.images import Known
from reconciler.errors import ImageError
from reconciler.images.reference import Reference
from reconciler.images.stated import Pin, Pins, Stated
from reconciler.kube.names import Identity
from reconciler.model.image import Pinned, Unknown
from reconciler.model.imaging import Tags
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.spec import ImageSpec, Origin, Specs
from reconciler.model.state import Held
from reconciler.render.image import images

_UNKNOWN: Final = "not-known-yet"  # tags
_TO_BUILD: Final = "to-be-built-"


def stated_images(specs: Specs, tags: Tags) -> list[Stated]:
    """The Images that have to be looked up, or verified."""
    return [
        Stated(
            identity,
            document.origin.path,
            spec.repository,
            tag=spec.tag or "",
            digest=spec.digest or "",
            follow=spec.follow,
            build=spec.build,
        )
        for identity, document in specs.documents.items()
        if isinstance(spec := document.spec, ImageSpec) and not (spec.tag and tags is Tags.AS_STATED)
    ]


def written(image: ImageSpec, reference: Reference) -> str:
    """`reference` with the repository's name as the document has it."""
    return image.repository + str(reference).removeprefix(str(reference.repository))


def known(specs: Specs, pins: Pins) -> Known:
    """What `pins` make of the Images of `specs`; those that were not asked about are what they state."""
    pinned: dict[Identity, str | Unknown] = {}
    problems: list[Problem] = []
    held: list[Held] = []
    for identity, document in specs.documents.items():
        if not isinstance(spec := document.spec, ImageSpec):
            continue
        pin = pins.get(identity)
        if pin is None:
            pinned[identity] = f"{spec.repository}:{spec.tag}"
            continue
        if isinstance(pin, Pin):
            pinned[identity] = written(spec, pin.reference)
        error = pin if isinstance(pin, ImageError) else failure(pin)
        if error is not None:
            text = told(error, identity)
            if error is pin:
                pinned[identity] = Unknown(text, error.hint, fault=False)
            problems.append(about(identity, document.origin, text, error.hint))
            held.append(Held(identity, "", text, error.hint))
    return Known(pinned, tuple(problems), tuple(held))


def to_be_built(image: ImageSpec, inputs: str) -> str:
    """A stand-in for what is to be built from the inputs that `inputs` names."""
    return f"{image.repository}:{_TO_BUILD}{hashlib.sha256(inputs.encode()).hexdigest()[:12]}"


def builds(reference: str) -> bool:
    """Whether that is a stand-in for what is to be built."""
    return f":{_TO_BUILD}" in reference


def is_stand_in(reference: str) -> bool:
    """Whether nobody knows yet what is meant."""
    return builds(reference) or reference.endswith(f":{_UNKNOWN}")


def stand_ins(specs: Specs, found: Known) -> Pinned:
    """What is known, and for the rest something to render with that is clearly none."""
    pinned = found.pinned if found.pinned is not None else images(specs)
    filled = dict(pinned)
    for identity, document in specs.documents.items():
        if isinstance(document.spec, ImageSpec) and isinstance(pinned[identity], Unknown):
            filled[identity] = f"{document.spec.repository}:{_UNKNOWN}"
    return filled


def about(identity: Identity, origin: Origin, text: str, hint: str) -> Problem:
    """What is said of an Image in the specs of a revision, where its digest is not known."""
    return Problem(
        Severity.WARNING,
        "image-unknown",
        Location(origin.path, origin.line),
        f"{text}; what names it stays as it is",
        subject=f"{identity.kind}/{identity.name}",
        hint=hint,
        identity=identity,
    )
