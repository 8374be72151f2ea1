"""What Images mean where nobody may ask a registry or build: from lock files, then from what runs.

For a plan, a pass by hand, and the review of a commit that may be a stranger's.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Final

from reconciler.engine.image_documents import about, stated_images, written
from reconciler.engine.image_telling import told
from reconciler.engine.images import Known, Running, Trees
from reconciler.errors import ImageError, SourceError
from reconciler.images.inputs import Gatherer, Tree
from reconciler.images.lock import Locks, key_of
from reconciler.images.pins import locks_of
from reconciler.images.reference import Reference, Repository
from reconciler.images.stated import Commit, Stated, locked_for, recovered
from reconciler.images.writeback import lock_path
from reconciler.model.image import TreeFile, Unknown
from reconciler.model.imaging import Tags
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import ImageSpec, Specs

if TYPE_CHECKING:
    from reconciler.kube.names import Identity
    from reconciler.model.problem import Problem

_HINT: Final = "--config FILE has registries asked, as the daemon does"


class Unasked:
    """Images of one source. `running` gives what its workloads run."""

    def __init__(self, trees: Trees, running: Running | None = None) -> None:
        self._trees = trees
        self._running = running

    def join(self, wake: Callable[[], None], suspended: Callable[[], Awaitable[bool]]) -> None:
        """Nothing changes by itself."""

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        """As Images says; what cannot be told is a fault."""
        stated = stated_images(specs, Tags.PIN)
        if not stated:
            return Known()
        commit = Commit(snapshot.source, await self._tree(snapshot), self._trees)
        locks = await locks_of(stated, commit)
        running = await self._running() if self._running is not None else ()
        pinned: dict[Identity, str | Unknown] = {}
        problems: list[Problem] = []
        for one in stated:
            document = specs.documents[one.identity]
            assert isinstance(document.spec, ImageSpec)  # noqa: S101 - `stated_images` takes no other
            found: Reference | None = None
            try:
                known = locks[lock_path(one.document)]
                if isinstance(known, ImageError):
                    raise known
                found, why = await _one(one, commit, known, running)
            except ImageError as error:
                why = told(error, one.identity)
            pinned[one.identity] = written(document.spec, found) if found is not None else Unknown(why, _HINT)
            if why:
                problems.append(about(one.identity, document.origin, why, _HINT))
        return Known(pinned, tuple(problems))

    async def close(self) -> None:
        """Nothing is open."""

    async def _tree(self, snapshot: Snapshot) -> Tree:
        try:
            return Tree(await self._trees.tree(snapshot.revision.commit))
        except SourceError:  # a merge that nobody has made
            return Tree(TreeFile(each.path, "100644", each.blob, each.size) for each in snapshot.entries)


async def _one(
    one: Stated, commit: Commit, locks: Locks, running: Collection[Reference]
) -> tuple[Reference | None, str]:
    """What an Image means, and why that is not certain. Raises ImageError."""
    repository = Repository.parse(one.repository)
    if one.digest:
        return repository.at(digest=one.digest), ""
    there = recovered([one], running, builds=True).get(one.identity)
    if one.build is None:
        locked = locked_for(one, locks)
        found = locked.reference if locked is not None else there
        if found is None and one.tag:
            return repository.at(tag=one.tag), ""
        return found, "" if found is not None else "which tag is followed is not asked here"
    inputs = await Gatherer().gather(one.build, one.document, commit.tree, commit.blobs)
    tag = inputs.tag({base.written: base.reference.digest or "not asked" for base in inputs.bases})
    locked = locks.get(key_of(one.identity))
    if locked is not None and locked.fits(repository) and locked.tag == tag:
        return locked.reference, ""
    if there is not None and there.tag == tag:
        return there, ""
    return there, "whether it has been built from these inputs is not asked here"
