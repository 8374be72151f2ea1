"""From the image that a spec names to the reference that a kubelet pulls."""

from collections.abc import Mapping

from reconciler.kube.names import Identity
from reconciler.model.spec import GROUP, ImageSpec, Specs

Images = Mapping[Identity, str]


def reference(image: ImageSpec) -> str:
    """`repository:tag`, `repository@sha256:…`, or both parts where both are stated."""
    tag = f":{image.tag}" if image.tag else ""
    digest = f"@{image.digest}" if image.digest else ""
    return f"{image.repository}{tag}{digest}"


def images(specs: Specs) -> Images:
    """Every Image document with its reference."""
    return {i: reference(d.spec) for i, d in specs.documents.items() if isinstance(d.spec, ImageSpec)}


class Resolver:
    """Resolves the names of one namespace, and remembers what it was asked: that is part of what rendering read."""

    def __init__(self, images: Images, namespace: str) -> None:
        self._images = images
        self._namespace = namespace
        self.read: dict[Identity, str | None] = {}

    def resolve(self, image: str) -> str:
        """The reference for `image`: an Image document's where one of that name is in the namespace, else `image`.

        A document that names an invalid Image does not come here: the specs room quarantines it too.
        """
        identity = Identity(GROUP, "Image", self._namespace, image)
        found = self.read[identity] = self._images.get(identity)
        return image if found is None else found
