"""A repository in memory, and a Loader to ask for what it describes."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from reconciler.kube.names import GroupKind
from reconciler.model.problem import Severity
from reconciler.model.snapshot import Entry, Revision, Skipped, Snapshot
from reconciler.model.spec import Specs
from reconciler.specs.limits import Limits
from reconciler.specs.load import Loader

REVISION = Revision("0" * 40, "main", "A <a@example.com>", datetime(2026, 1, 1, tzinfo=UTC), "a commit")


class Repository:
    """Files by path. Implements `Blobs` and counts what is read."""

    def __init__(self, files: Mapping[str, str | bytes], paths: Sequence[str] = (".",)) -> None:
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.paths = tuple(paths)
        self.skipped: tuple[Skipped, ...] = ()
        self.missing: tuple[str, ...] = ()
        self.reads: list[str] = []

    def blob(self, path: str) -> str:
        return hashlib.sha1(self.files[path], usedforsecurity=False).hexdigest()

    def snapshot(self) -> Snapshot:
        entries = [Entry(path, self.blob(path), len(text), self._layer(path)) for path, text in self.files.items()]
        entries.sort(key=lambda entry: (entry.layer, entry.path))
        return Snapshot("test", REVISION, self.paths, tuple(entries), self.skipped, self.missing)

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        self.reads.extend(ids)
        contents = {self.blob(path): text for path, text in self.files.items()}
        return {blob: contents[blob] for blob in ids}

    def _layer(self, path: str) -> int:
        fitting = [p for p in self.paths if p == "." or path == p or path.startswith(f"{p}/")]
        return self.paths.index(max(fitting, key=lambda p: 0 if p == "." else len(p))) if fitting else -1


Load = Callable[..., Specs]


def load_repository(
    repository: Repository,
    *,
    namespace: str = "default",
    scopes: Mapping[GroupKind, bool] | None = None,
    limits: Limits | None = None,
    loader: Loader | None = None,
) -> Specs:
    loader = loader or Loader(limits=limits or Limits())
    return asyncio.run(loader.load(repository.snapshot(), repository, namespace=namespace, scopes=scopes))


@pytest.fixture
def repository() -> type[Repository]:
    return Repository


@pytest.fixture
def load() -> Load:
    """`load(text)`, `load({"a.yaml": text}, paths=["base", "prod"])` or `load(repository)` gives Specs."""

    def loaded(
        files: str | Mapping[str, str | bytes] | Repository, paths: Sequence[str] = (".",), **options: object
    ) -> Specs:
        if isinstance(files, str):
            files = {"a.yaml": files}
        found = files if isinstance(files, Repository) else Repository(files, paths)
        return load_repository(found, **options)  # type: ignore[arg-type]

    return loaded


@pytest.fixture
def said() -> Callable[[Specs], list[str]]:
    """Every problem as its first line."""
    return lambda specs: [str(problem) for problem in specs.problems]


@pytest.fixture
def errors() -> Callable[[Specs], list[str]]:
    """The codes of all errors."""
    return lambda specs: [p.code for p in specs.problems if p.severity is Severity.ERROR]
