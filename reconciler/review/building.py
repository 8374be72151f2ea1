"""Images as a review knows them: nothing is built, and what would be built is told from the inputs alone."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from reconciler.engine.image_documents import builds, stand_ins, to_be_built
from reconciler.engine.images import Images, Known, Trees
from reconciler.errors import ImageError
from reconciler.images.inputs import Gatherer, Tree
from reconciler.kube.names import Identity
from reconciler.model.image import Pinned, Unknown
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import ImageSpec, Specs


class ImageChange(NamedTuple):
    """What an Image means, before and after a merge; "" where it is not stated. `builds`: it has to be built first."""

    identity: Identity
    before: str
    after: str
    builds: bool = False


class Unbuilt:
    """Images of the revisions of a review. Of those that are built, what is in use is of the inputs that it was first
    met with: with other inputs, and unless somebody knows better, the image is yet to be built, and gets a tag that
    says so."""

    def __init__(self, inner: Images, trees: Trees) -> None:
        self._inner = inner
        self._trees = trees
        self._gatherer = Gatherer()
        self._met: dict[tuple[Identity, str], str] = {}  # an Image and a reference → the inputs

    def join(self, wake: Callable[[], None], suspended: Callable[[], Awaitable[bool]]) -> None:
        """Nobody is woken: each revision is looked at when it is asked for."""

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        """As Images says. What is not known has a stand-in, so that what names it can be shown."""
        known = await self._inner.of(snapshot, specs)
        if known.pinned is None:
            return known
        filled = dict(stand_ins(specs, known))
        unbuilt: set[Identity] = set()
        tree: Tree | None = None
        for identity, document in specs.documents.items():
            if not isinstance(spec := document.spec, ImageSpec) or spec.build is None:
                continue
            if tree is None:
                tree = Tree(await self._trees.tree(snapshot.revision.commit))
            try:
                inputs = await self._gatherer.gather(spec.build, document.origin.path, tree, self._trees)
            except ImageError:  # which the problems of the Image say already
                continue
            tag = inputs.tag({base.written: base.written for base in inputs.bases})
            there = known.pinned.get(identity)
            missing = there is None or isinstance(there, Unknown)
            if missing or self._met.setdefault((identity, str(there)), tag) != tag:
                filled[identity] = to_be_built(spec, tag)
                unbuilt.add(identity)
        problems = tuple(problem for problem in known.problems if problem.identity not in unbuilt)
        held = tuple(each for each in known.held if each.identity not in unbuilt)
        return replace(known, pinned=filled, problems=problems, held=held)

    async def close(self) -> None:
        """Nothing is left open."""


def image_changes(before: Pinned | None, after: Pinned | None) -> tuple[ImageChange, ...]:
    """Images that would be built, and those that mean another digest or tag than before; in order."""
    was, now = before or {}, after or {}
    return tuple(
        ImageChange(identity, str(was.get(identity, "")), text := str(now.get(identity, "")), builds(text))
        for identity in sorted({*was, *now})
        if was.get(identity) != now.get(identity)
    )
