"""Snapshot to Specs: everything that a revision describes, and everything that is wrong with it, at once.

Each step remembers its answers for what did not change: a file by its blob, a document by the files that state it. So a
commit of one line parses one blob and checks one document, whatever the size of the repository.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kube.names import GroupKind, Identity
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.snapshot import Blobs, Entry, Snapshot
from reconciler.model.spec import Document, MountedFile, Specs
from reconciler.specs.candidate import Candidate, Teller
from reconciler.specs.check import Checked, check, digest_of
from reconciler.specs.collect import Collector, note_what_is_missing, spec_files
from reconciler.specs.files import Mounts, mounts_of
from reconciler.specs.finding import Finding
from reconciler.specs.ledger import Ledger
from reconciler.specs.limits import Limits
from reconciler.specs.memory import FileKey, Memory, file_key
from reconciler.specs.parts import File, read_file
from reconciler.specs.read import too_large
from reconciler.specs.references import refer
from reconciler.specs.scope import Kinds
from reconciler.specs.settings import Settings, settings_files
from reconciler.specs.strange import warn_of_strange_kinds
from reconciler.specs.tree import Mount
from reconciler.specs.unread import hold_what_is_in_doubt

_BATCH: Final = 8 * 1024 * 1024  # bytes of blobs in memory at a time


class Loader:
    """Loads snapshots of one repository. May be asked for several revisions at once; it works on one at a time.

    `planner` is the daemon's, which has limits for what specs say of how to weigh, and fills in what they leave open;
    without it those are not checked, and it is not known what is filled in.
    """

    def __init__(self, *, limits: Limits = Limits(), planner: PlannerConfig | None = None) -> None:  # noqa: B008 - a frozen value
        self._limits = limits
        self._planner = planner
        self._memory = Memory()
        self._settings = Settings(planner)
        self._lock = asyncio.Lock()

    async def load(
        self, snapshot: Snapshot, blobs: Blobs, *, namespace: str, scopes: Mapping[GroupKind, bool] | None = None
    ) -> Specs:
        """All documents of `snapshot`; objects without a namespace get `namespace`.

        `scopes` says of kinds that the cluster has whether they live in namespaces. Whatever the files hold, it comes
        back as Problems. Raises SourceError where a blob cannot be read.
        """
        async with self._lock:
            self._memory.turn()
            ledger = Ledger(Teller(self._limits))
            entries = spec_files(snapshot)
            settings = settings_files(snapshot, ledger)
            parsed = await self._read([*entries, *settings], blobs)
            ruling = self._settings.read(self._files(settings), ledger)
            checked, mounts = await asyncio.to_thread(
                self._examine, snapshot, entries, namespace, dict(scopes or {}), ledger
            )
            await self._read_mounted(mounts.values(), blobs)
            return Specs(
                snapshot.source,
                snapshot.revision,
                dict(self._documents(checked, mounts, ledger)),
                ledger.sorted(),
                frozenset(ledger.broken),
                tuple(sorted(ledger.unread)),
                parsed,
                ruling.rules,
                ruling.known,
                ruling.planner,
                ruling.review,
            )

    async def file(self, entry: Entry, blobs: Blobs) -> File:
        """One file of a snapshot, parsed; from memory where it is still known. Raises SourceError."""
        if (known := self._memory.files.get(file_key(entry))) is not None:
            return known
        content = (await blobs.read([entry.blob]))[entry.blob]
        return await asyncio.to_thread(read_file, content, self._limits, json=entry.path.endswith(".json"))

    async def _read(self, entries: Sequence[Entry], blobs: Blobs) -> int:
        """Parse the files that are not known yet; how many blobs that were."""
        files = self._memory.files
        new = {key: entry for entry in entries if files.get(key := file_key(entry)) is None}
        for batch in _batches(new):
            small = [key for key in batch if new[key].size <= self._limits.file_bytes]
            contents = await blobs.read([blob for blob, _ in small])
            await asyncio.to_thread(self._parse, small, contents)
            for key in batch:
                if new[key].size > self._limits.file_bytes:
                    files.put(key, File((), too_large(new[key].size, self._limits), key[1]))
        return len({blob for blob, _ in new})

    def _files(self, entries: Iterable[Entry]) -> list[tuple[Entry, File]]:
        """Those of `entries` that were read."""
        read = self._memory.files
        return [(entry, file) for entry in entries if (file := read.get(file_key(entry))) is not None]

    def _parse(self, keys: Iterable[FileKey], contents: Mapping[str, bytes]) -> None:
        for blob, json in keys:
            self._memory.files.put((blob, json), read_file(contents[blob], self._limits, json=json))

    def _examine(
        self,
        snapshot: Snapshot,
        entries: Sequence[Entry],
        namespace: str,
        scopes: Mapping[GroupKind, bool],
        ledger: Ledger,
    ) -> tuple[Mapping[Identity, Checked], Mounts]:
        note_what_is_missing(snapshot, ledger)
        files = self._files(entries)
        kinds = self._memory.kinds((file for _, file in files), scopes, namespace)
        groups = Collector(self._memory, ledger, kinds, self._limits).collect(files)
        checked = {identity: self._check(identity, group, kinds, ledger) for identity, group in groups.items()}
        mounts = mounts_of(checked, snapshot, ledger, self._limits)
        hold_what_is_in_doubt(groups, {mount.entry.path for some in mounts.values() for mount in some}, ledger)
        refer(checked, ledger)
        warn_of_strange_kinds(checked.values(), kinds, ledger)
        return checked, mounts

    def _check(self, identity: Identity, group: Sequence[Candidate], kinds: Kinds, ledger: Ledger) -> Checked:
        layers: dict[int, Candidate] = {}
        for candidate in group:
            if (first := layers.setdefault(candidate.layer, candidate)) is not candidate:
                finding = Finding("described-twice", (), f"{identity} is described twice", "remove one of the two")
                problem = ledger.teller.finding(finding, (candidate,), candidate.part.value)
                ledger.refuse(identity, replace(problem, also=(first.location,)))
        stated = tuple(layers[layer] for layer in sorted(layers))
        checked = self._memory.checked.get(stated)
        if checked is None:
            checked = check(stated, kinds, ledger.teller, self._planner)
            self._memory.checked.put(stated, checked)
        ledger.problems += checked.problems
        if checked.document is None and not checked.removed:
            ledger.broken.add(identity)
        return checked

    async def _read_mounted(self, mounts: Iterable[tuple[Mount, ...]], blobs: Blobs) -> None:
        contents = self._memory.contents
        missing = sorted(
            {mount.entry.blob for some in mounts for mount in some if contents.get(mount.entry.blob) is None}
        )
        if missing:
            for blob, content in (await blobs.read(missing)).items():
                contents.put(blob, content)

    def _documents(
        self, checked: Mapping[Identity, Checked], mounts: Mounts, ledger: Ledger
    ) -> Iterator[tuple[Identity, Document]]:
        for identity in sorted(checked.keys() - ledger.broken):
            document = checked[identity].document
            if document is not None:
                mounted = mounts.get(identity)
                yield identity, self._with_files(checked[identity], document, mounted) if mounted else document

    def _with_files(self, checked: Checked, document: Document, mounts: tuple[Mount, ...]) -> Document:
        found = self._memory.documents.get((checked, mounts))
        if found is None:
            files = []
            for folder, name, entry in mounts:
                content = self._memory.contents.get(entry.blob)
                assert content is not None  # noqa: S101 - it was just read
                files.append(MountedFile(folder, name, entry.blob, content))
            digest = digest_of(document.digest, [(folder, name, entry.blob) for folder, name, entry in mounts])
            found = replace(document, files=tuple(files), digest=digest)
            self._memory.documents.put((checked, mounts), found)
        return found


def _batches(new: Mapping[FileKey, Entry]) -> Iterator[list[FileKey]]:
    batch: list[FileKey] = []
    size = 0
    for key, entry in new.items():
        batch.append(key)
        size += entry.size
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
