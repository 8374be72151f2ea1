"""What a user wrote of a workload's pods, as a hash: nothing planned, and nothing of our version (rules 16 and 19)."""

from collections.abc import Collection

import msgspec

from reconciler.model.spec import DeploymentSpec, Document, TaskSpec
from reconciler.render.image import Resolver
from reconciler.render.stamp import canonical, sha256


def fingerprint(
    document: Document, workload: DeploymentSpec | TaskSpec, resolver: Resolver, around: Collection[str]
) -> str:
    """64 hexadecimal digits over the document's name, its spec as stated apart from the fields `around` the pods, its
    mounted files and its resolved images."""
    stated = {name: value for name, value in msgspec.to_builtins(workload).items() if name not in around}
    if stated.get("placement", {}).pop("shares", None) and not stated["placement"]:  # how many are where, as `replicas`
        del stated["placement"]
    images = {
        name: resolver.resolve(name)
        for name in (
            workload.image,
            *(c.get("image") for c in (*workload.init_containers, *workload.sidecars)),
        )
        if isinstance(name, str)
    }
    files = [(f.mount, f.name, sha256(f.content)) for f in document.files]
    return sha256(canonical((document.identity.name, stated, images, files)))
