"""From the image that a spec names to the reference that a kubelet pulls."""

from collections.abc import Mapping
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.spec import GROUP, ImageSpec, Specs
from reconciler.render.refusal import Refusal

INVALID: Final = ""  # what an Image that is quarantined resolves to

Images = Mapping[Identity, str]


def reference(image: ImageSpec) -> str:
    """`repository:tag`, `repository@sha256:…`, or both parts where both are stated."""
    tag = f":{image.tag}" if image.tag else ""
    digest = f"@{image.digest}" if image.digest else ""
    return f"{image.repository}{tag}{digest}"


def images(specs: Specs) -> Images:
    """Every Image document with its reference; those that are quarantined with INVALID."""
    found = {i: INVALID for i in specs.quarantined if i.group == GROUP and i.kind == "Image"}
    for identity, document in specs.documents.items():
        if isinstance(document.spec, ImageSpec):
            found[identity] = reference(document.spec)
    return found


class Resolver:
    """Resolves the names of one namespace, and remembers what it was asked: that is part of what rendering read."""

    def __init__(self, images: Images, namespace: str) -> None:
        self._images = images
        self._namespace = namespace
        self.read: dict[Identity, str | None] = {}

    def resolve(self, image: str, field: str = "spec.image") -> str:
        """The reference for `image`: an Image document's where one of that name is in the namespace, else `image`.

        Raises Refusal where that Image is invalid: the plain word would pull something else than was meant.
        """
        identity = Identity(GROUP, "Image", self._namespace, image)
        found = self.read[identity] = self._images.get(identity)
        if found is None:
            return image
        if found == INVALID:
            raise Refusal("image-invalid", field, f"Image/{image} is invalid", hint="repair that Image first")
        return found
