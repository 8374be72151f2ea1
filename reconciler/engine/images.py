"""What a pass asks about images before it renders, and the answer where nobody looks them up."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from reconciler.model.image import Pinned, TreeFile
from reconciler.model.problem import Problem
from reconciler.model.snapshot import Blobs, Snapshot
from reconciler.model.spec import Specs
from reconciler.model.state import Held

if TYPE_CHECKING:
    from reconciler.images.reference import Reference


Running = Callable[[], Awaitable[Collection["Reference"]]]
"""Gives what the workloads of a source run now, as far as it has a digest."""


class Trees(Blobs, Protocol):
    """A repository whose commits can be listed."""

    async def tree(self, commit: str) -> tuple[TreeFile, ...]:
        """Every name of a commit. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the Images of a revision. `pinned` None: what the documents say is all there is."""

    pinned: Pinned | None = None
    problems: tuple[Problem, ...] = ()
    held: tuple[Held, ...] = ()


class Images(Protocol):
    """One source's."""

    def join(self, wake: Callable[[], None], suspended: Callable[[], Awaitable[bool]]) -> None:
        """From now on `wake` has a pass made soon, and `suspended` says whether nothing is to be written."""
        ...

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        """What is known now. Raises SourceError where the repository cannot be read."""
        ...

    async def close(self) -> None:
        """End what still runs."""
        ...


class AsStated:
    """Nobody asks registries, and nothing is built."""

    def join(self, wake: Callable[[], None], suspended: Callable[[], Awaitable[bool]]) -> None:
        """Nothing."""

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        return Known()

    async def close(self) -> None:
        """Nothing."""
