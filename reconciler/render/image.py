"""From the image that a spec names to the reference that a kubelet pulls."""

from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.image import Pinned, Unknown
from reconciler.model.problem import Severity
from reconciler.model.spec import GROUP, ImageSpec, Specs
from reconciler.render.refusal import Refusal

_NOBODY: Final = Unknown(
    "nobody has looked it up", "the daemon does; `reconciler image resolve` shows what it would find"
)


def reference(image: ImageSpec) -> str | Unknown:
    """`repository:tag`, `repository@sha256:…`; Unknown where the document alone does not say which one is meant."""
    if image.digest:
        return f"{image.repository}@{image.digest}"
    return f"{image.repository}:{image.tag}" if image.tag else _NOBODY


def images(specs: Specs) -> Pinned:
    """Every Image document as it stands, with nobody asked."""
    return {i: reference(d.spec) for i, d in specs.documents.items() if isinstance(d.spec, ImageSpec)}


def stands(read: str | Unknown | None, now: str | Unknown | None) -> bool:
    """Whether what was rendered with `read` is right still. As long as it cannot be told what is, what was is."""
    return read == now or (isinstance(read, str) and isinstance(now, Unknown))


class Resolver:
    """Resolves the names of one namespace, and remembers what it was asked: that is part of what rendering read."""

    def __init__(self, images: Pinned, namespace: str) -> None:
        self._images = images
        self._namespace = namespace
        self.read: dict[Identity, str | Unknown | None] = {}

    def resolve(self, image: str) -> str:
        """The reference for `image`: an Image document's where one of that name is in the namespace, else `image`.

        Raises Refusal where it is not known. A document that names an invalid Image does not come here: the specs room
        quarantines it too.
        """
        identity = Identity(GROUP, "Image", self._namespace, image)
        found = self.read[identity] = self._images.get(identity)
        if isinstance(found, Unknown):
            raise Refusal(
                "image-unknown",
                "",
                f"Image/{image} has no digest yet: {found.reason}",
                hint=found.hint,
                severity=Severity.ERROR if found.fault else Severity.WARNING,
            )
        return image if found is None else found
