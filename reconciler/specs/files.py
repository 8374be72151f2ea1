"""`files:` of workloads: names of the repository's files, relative to the document that states them."""

from collections.abc import Iterable, Mapping

from reconciler.kube.names import Identity
from reconciler.model.snapshot import Snapshot
from reconciler.specs.check import Checked
from reconciler.specs.finding import Finding
from reconciler.specs.ledger import Ledger
from reconciler.specs.limits import Limits
from reconciler.specs.overlay import source_of
from reconciler.specs.tree import Mount, Tree

Mounts = Mapping[Identity, tuple[Mount, ...]]


def mounts_of(checked: Mapping[Identity, Checked], snapshot: Snapshot, ledger: Ledger, limits: Limits) -> Mounts:
    """For each workload with `files` what it mounts; what cannot be mounted goes to the ledger."""
    mounting = {identity: one for identity, one in checked.items() if one.files}
    tree = Tree(snapshot) if mounting else None
    return {identity: _mounts(one, tree, ledger, limits) for identity, one in mounting.items() if tree}


def _mounts(one: Checked, tree: Tree, ledger: Ledger, limits: Limits) -> tuple[Mount, ...]:
    mounts: list[Mount] = []
    values = [candidate.part.value for candidate in one.candidates]
    for path, stated in one.files:
        document = one.candidates[source_of(path, one.value, values)[0]].path
        found = tree.mounts(path, str(path[-1]), stated, document)
        if isinstance(found, Finding):
            ledger.found(one, found)
        else:
            mounts += found
    if message := _too_large(mounts, limits):
        hint = "put large files into the image or a volume"
        ledger.found(one, Finding("files-too-large", ("spec", "files"), message, hint))
    return tuple(mounts)


def _too_large(mounts: Iterable[Mount], limits: Limits) -> str:
    """Why the files cannot be mounted together; "" where they can."""
    size = sum(mount.entry.size for mount in mounts)
    if size <= limits.mounted_bytes:
        return ""
    return f"the files have {size:,} bytes, more than the {limits.mounted_bytes:,} that a ConfigMap can hold"
