"""What the last loads worked out, so that a load pays only for what changed."""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from reconciler.kube.names import GroupKind
from reconciler.model.snapshot import Entry
from reconciler.specs.parts import File
from reconciler.specs.scope import Kinds

if TYPE_CHECKING:
    from reconciler.model.problem import Problem
    from reconciler.model.spec import Document
    from reconciler.specs.candidate import Candidate
    from reconciler.specs.check import Checked
    from reconciler.specs.tree import Mount

_KEPT: Final = 2  # loads before this one

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
FileKey = tuple[str, bool]
PlaceKey = tuple[str, str, int]  # blob, path and layer


class Generations(Generic[K, V]):
    """Keeps what this load and the few before it used, so that comparing two revisions forgets neither."""

    def __init__(self) -> None:
        self._young: dict[K, V] = {}
        self._older: deque[dict[K, V]] = deque(maxlen=_KEPT)

    def turn(self) -> None:
        """A new load begins."""
        self._older.appendleft(self._young)
        self._young = {}

    def get(self, key: K) -> V | None:
        found = self._young.get(key)
        if found is None:
            for older in self._older:
                if (found := older.get(key)) is not None:
                    self._young[key] = found
                    break
        return found

    def put(self, key: K, value: V) -> None:
        self._young[key] = value


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A file at its path, as long as nothing else is known of `kinds`.

    `candidates` are its documents that say which object they describe; `problems` are about the rest of it.
    """

    kinds: Kinds
    candidates: tuple["Candidate", ...]
    problems: tuple["Problem", ...]


class Memory:
    """Answers by what they depend on: a file by its blob, a document by the candidates that state it."""

    def __init__(self) -> None:
        self.files: Generations[FileKey, File] = Generations()
        self.placed: Generations[PlaceKey, Placed] = Generations()
        self.checked: Generations[tuple[Candidate, ...], Checked] = Generations()
        self.documents: Generations[tuple[Checked, tuple[Mount, ...]], Document] = Generations()
        self.contents: Generations[str, bytes] = Generations()
        self._kinds: tuple[object, Kinds] | None = None

    def turn(self) -> None:
        """A new load begins."""
        for memory in (self.files, self.placed, self.checked, self.documents, self.contents):
            memory.turn()

    def kinds(self, files: Iterable[File], scopes: Mapping[GroupKind, bool], namespace: str) -> Kinds:
        """What is known of kinds. It changes only with a CustomResourceDefinition or with the cluster."""
        defining = tuple(file for file in files if file.definitions)
        key = (frozenset(scopes.items()), defining, namespace)
        if self._kinds is None or self._kinds[0] != key:
            definitions = [definition for file in defining for definition in file.definitions]
            self._kinds = (key, Kinds(scopes, definitions, namespace))
        return self._kinds[1]


def file_key(entry: Entry) -> FileKey:
    """Equal blobs are equal files, but for the language that the name says they are in."""
    return entry.blob, entry.path.endswith(".json")
