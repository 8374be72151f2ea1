"""Who made a field what it is, and who wanted it otherwise: managers of the cluster, lines and commits of Git.

What is asked of Git costs a process for each file, so it is asked once for each file and revision, a few at a time,
and never on the way of healing: whoever heals does not wait for it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from reconciler.errors import SourceError
from reconciler.kube.names import Identity
from reconciler.kube.owners import owners_at
from reconciler.model.change import Live
from reconciler.model.drift import Author, Drift, Wanted
from reconciler.model.manifest import MANAGER, Manifest, Manifests
from reconciler.model.snapshot import Blobs, Entry, Revision, Snapshot
from reconciler.model.spec import GROUP, Document, Origin, Specs
from reconciler.render.stated import stated_by
from reconciler.specs.lines import Found, Wish, layers, locate
from reconciler.specs.load import Loader
from reconciler.specs.parts import File

_LARGE: Final = 4096  # bytes of a packed file that is read in a thread
_LINES: Final = 250_000  # whose commits are remembered, of all files together
_FIELDS: Final = 50  # of one object that are looked for; the rest has the document's place

Blame = tuple[Revision | None, ...]


class History(Blobs, Protocol):
    """What is asked of a source."""

    async def blame(self, path: str, rev: str) -> Blame:
        """For each line of a file the last commit up to `rev` that touched it. Raises SourceError."""
        ...


def authors(live: Live, path: str) -> tuple[Author, ...]:
    """The managers besides us that own the field at `path` of a live object or part of it, the last writer first."""
    return tuple(
        Author(owner.manager, owner.operation, owner.time, owner.subresource)
        for owner in owners_at(live.object, path)
        if (owner.manager, owner.operation, owner.subresource) != (MANAGER, "Apply", "")
    )


class Stated(Protocol):
    """What a source states now, and the revision that says so."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def specs(self) -> Specs: ...

    @property
    def manifests(self) -> Manifests: ...


class Authorship:
    """Finds who wanted what, in one repository.

    `slots` bounds the Git processes and may be shared between sources. The commits of about `lines` lines, of all files
    together, are remembered.
    """

    def __init__(
        self, history: History, loader: Loader, *, slots: asyncio.Semaphore | None = None, lines: int = _LINES
    ) -> None:
        self._history = history
        self._loader = loader
        self._slots = slots or asyncio.Semaphore(1)
        self._blames: OrderedDict[tuple[str, str], asyncio.Task[Blame]] = OrderedDict()
        self._most = lines
        self._lines = 0  # of the answers, and one more for each
        self._entries: tuple[Snapshot, Mapping[str, Entry]] | None = None

    async def of(
        self, manifest: Manifest, fields: Sequence[str], *, snapshot: Snapshot, specs: Specs
    ) -> tuple[Wanted, ...]:
        """For each of `fields` (paths in the object, as people read them) the line that states it, and its commit.

        Where no line states a field, the first of the document, and so where there are no fields at all. `snapshot` and
        `specs` are of the revision that made `manifest`. No commit where there is none: it is a folder, or the history
        is not whole. Never raises SourceError.
        """
        places = await self._places(manifest, fields, snapshot, specs)
        commit = snapshot.revision.commit
        blames = dict(await asyncio.gather(*(self._blamed(path, commit) for path in sorted({p.path for p in places}))))
        return tuple(_latest(place, blames[place.path]) for place in places)

    async def close(self) -> None:
        """End what still runs."""
        running = [task for task in self._blames.values() if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # -- places -------------------------------------------------------------------------------------------------------

    async def _places(
        self, manifest: Manifest, fields: Sequence[str], snapshot: Snapshot, specs: Specs
    ) -> list["_Place"]:
        origin = manifest.origin
        document = _Place(origin.path, origin.line)
        if not fields:
            return [document]
        wishes = [[Wish(*one) for one in stated_by(manifest, path)] for path in fields[:_FIELDS]]
        places = []
        for path, found in zip(fields, await self._located(manifest.spec, origin, wishes, snapshot), strict=False):
            image = _image(path, found, manifest, specs)
            if image is not None:  # the Image of that name says which version it is
                version = [[Wish("spec.digest"), Wish("spec.tag")]]
                (found,) = await self._located(image.identity, image.origin, version, snapshot)
                places.append(_Place.of(found) if found else _Place(image.origin.path, image.origin.line))
            else:
                places.append(_Place.of(found) if found else document)
        return [*places, *[document] * (len(fields) - len(places))]

    async def _located(
        self, document: Identity, origin: Origin, wishes: Sequence[Sequence[Wish]], snapshot: Snapshot
    ) -> list[Found | None]:
        files = await self._files((origin.path, *origin.overlays), snapshot)

        def look() -> list[Found | None]:
            texts = layers(document, origin, files)
            return [locate(texts, each) for each in wishes]

        large = any(len(file.packed) > _LARGE for file in files.values())
        return await asyncio.to_thread(look) if large else look()

    async def _files(self, paths: Iterable[str], snapshot: Snapshot) -> dict[str, File]:
        """Those of the files that can be read."""
        if self._entries is None or self._entries[0] is not snapshot:
            self._entries = (snapshot, {entry.path: entry for entry in snapshot.entries})
        entries = self._entries[1]
        files = {}
        for path in paths:
            if (entry := entries.get(path)) is not None:
                try:
                    files[path] = await self._loader.file(entry, self._history)
                except SourceError:
                    continue
        return files

    # -- commits ------------------------------------------------------------------------------------------------------

    async def _blamed(self, path: str, commit: str) -> tuple[str, Blame]:
        key = (path, commit)
        task = self._blames.get(key)
        if task is None:
            self._forget()
            task = self._blames[key] = asyncio.ensure_future(self._blame(path, commit))
        self._blames.move_to_end(key)
        return path, await asyncio.shield(task)  # others may wait for it too

    async def _blame(self, path: str, commit: str) -> Blame:
        found: Blame = ()
        try:
            async with self._slots:
                found = await self._history.blame(path, commit)
        except SourceError:  # remembered like an answer: until the next commit it would be the same
            pass
        self._lines += 1 + len(found)
        return found

    def _forget(self) -> None:
        """The oldest answers, where there are too many lines of them."""
        while self._lines > self._most:
            key, task = next(iter(self._blames.items()))
            if not task.done():
                return
            del self._blames[key]
            if not task.cancelled() and not task.exception():
                self._lines -= 1 + len(task.result())


class GitAttribution:
    """Says of each drift who wanted it otherwise. `stated` says what a source, whose Authorship it is, states now."""

    def __init__(self, sources: Mapping[str, tuple[Authorship, Callable[[], Stated | None]]]) -> None:
        self._sources = sources

    async def wanted(self, source: str, drift: Drift) -> tuple[Wanted, ...]:
        """The places in Git that state what `drift` changed, each once, in the order of its fields.

        Empty where nobody states the object any more.
        """
        authorship, stated = self._sources[source]
        now = stated()
        manifest = now.manifests.items.get(drift.identity) if now else None
        if now is None or manifest is None:
            return ()
        paths = [each.path for each in drift.fields]
        found = await authorship.of(manifest, paths, snapshot=now.snapshot, specs=now.specs)
        return tuple(dict.fromkeys(found))

    async def close(self) -> None:
        """End what still runs."""
        for authorship, _ in self._sources.values():
            await authorship.close()


class _Place(NamedTuple):
    """A line, and how many more below it belong to the value: those of a text in several lines."""

    path: str
    line: int
    more: int = 0

    @classmethod
    def of(cls, found: Found) -> "_Place":
        text = found.value if found.exact and isinstance(found.value, str) else ""
        return cls(found.location.path, found.location.line, text.count("\n"))


def _latest(place: _Place, blame: Blame) -> Wanted:
    """Of the value's lines the one that was written last, the first of several."""
    numbered = enumerate(blame[place.line - 1 : place.line + place.more], place.line)
    written = [(number, revision) for number, revision in numbered if revision is not None]
    if not written:
        return Wanted(place.path, place.line)
    line, revision = max(written, key=lambda one: (one[1].time, -one[0]))
    return Wanted(place.path, line, revision)


def _image(path: str, found: Found | None, manifest: Manifest, specs: Specs) -> Document | None:
    """The Image document that the image at `path` is named after."""
    if found is None or not found.exact or not path.endswith(".image") or not isinstance(found.value, str):
        return None
    return specs.documents.get(Identity(GROUP, "Image", manifest.spec.namespace, found.value))
