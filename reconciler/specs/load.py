"""Snapshot to Specs: everything that a revision describes, and everything that is wrong with it, at once.

Each step remembers its answers for what did not change: a file by its blob, a document by the files that state it. So a
commit of one line parses one blob and checks one document, whatever the size of the repository.
"""

import asyncio
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.snapshot import Blobs, Entry, SkipReason, Snapshot
from reconciler.model.spec import Document, MountedFile, Specs
from reconciler.specs import later
from reconciler.specs.cache import Generations
from reconciler.specs.candidate import Candidate, Teller
from reconciler.specs.check import Checked, check, digest_of
from reconciler.specs.fault import Fault
from reconciler.specs.files import Mount, Tree, too_large
from reconciler.specs.finding import Finding
from reconciler.specs.foreign import unknown_kind_hint
from reconciler.specs.identify import unidentified
from reconciler.specs.limits import Limits
from reconciler.specs.overlay import source_of
from reconciler.specs.parts import File, Part, read_file
from reconciler.specs.read import too_large as file_too_large
from reconciler.specs.references import Names, cycles, edges
from reconciler.specs.scope import Kinds, identity_of
from reconciler.specs.settle import settled
from reconciler.specs.unread import in_doubt

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_BATCH: Final = 8 * 1024 * 1024  # bytes of blobs in memory at a time


class Loader:
    """Loads snapshots of one repository. May be asked for several revisions; one at a time is worked on."""

    def __init__(self, *, limits: Limits = Limits()) -> None:  # noqa: B008 - a frozen value
        self._limits = limits
        self._files: Generations[tuple[str, bool], File] = Generations()
        self._candidates: Generations[tuple[Entry, str, Kinds], tuple[Candidate, ...]] = Generations()
        self._checked: Generations[tuple[Candidate, ...], Checked] = Generations()
        self._documents: Generations[tuple[Checked, tuple[Mount, ...]], Document] = Generations()
        self._contents: Generations[str, bytes] = Generations()
        self._kinds: tuple[tuple[object, ...], Kinds] | None = None
        self._lock = asyncio.Lock()

    async def load(
        self, snapshot: Snapshot, blobs: Blobs, *, namespace: str, scopes: Mapping[GroupKind, bool] | None = None
    ) -> Specs:
        """All documents of `snapshot`; objects without a namespace get `namespace`.

        `scopes` says of kinds that the cluster has whether they live in namespaces. Whatever the files hold, it comes
        back as Problems. Raises SourceError where a blob cannot be read.
        """
        async with self._lock:
            for memory in (self._files, self._candidates, self._checked, self._documents, self._contents):
                memory.turn()
            entries = _specs(snapshot)
            parsed = await self._read(entries, blobs)
            work = _Load(self, snapshot, entries, namespace, dict(scopes or {}))
            await asyncio.to_thread(work.run)
            await self._mounted(work.mounted_blobs(), blobs)
            return work.specs(parsed)

    async def _read(self, entries: Sequence[Entry], blobs: Blobs) -> int:
        """Parse the files that are not known yet; how many blobs that were."""
        new: dict[tuple[str, bool], Entry] = {}
        for entry in entries:
            key = (entry.blob, entry.path.endswith(".json"))
            if self._files.get(key) is None:
                new[key] = entry
        for batch in _batches(new):
            wanted = [key for key in batch if new[key].size <= self._limits.file_bytes]
            contents = await blobs.read([blob for blob, _ in wanted])
            await asyncio.to_thread(self._parse, wanted, contents)
            for key in batch:
                if new[key].size > self._limits.file_bytes:
                    self._files.put(key, File((), file_too_large(new[key].size, self._limits), key[1]))
        return len({blob for blob, _ in new})

    def _parse(self, keys: Iterable[tuple[str, bool]], contents: Mapping[str, bytes]) -> None:
        for blob, json in keys:
            self._files.put((blob, json), read_file(contents[blob], self._limits, json=json))

    async def _mounted(self, ids: Iterable[str], blobs: Blobs) -> None:
        missing = sorted({blob for blob in ids if self._contents.get(blob) is None})
        if missing:
            for blob, content in (await blobs.read(missing)).items():
                self._contents.put(blob, content)


class _Load:
    """One load: from the files, which are read, to the Specs."""

    def __init__(
        self,
        loader: Loader,
        snapshot: Snapshot,
        entries: Sequence[Entry],
        namespace: str,
        scopes: Mapping[GroupKind, bool],
    ) -> None:
        self._loader = loader
        self._limits = loader._limits
        self._snapshot = snapshot
        self._entries = entries
        self._namespace = namespace
        self._scopes = scopes
        self._teller = Teller(loader._limits)
        self._problems: list[Problem] = []
        self._unread: dict[str, tuple[Entry | None, list[Problem]]] = {}  # files with documents of unknown identity
        self._groups: dict[Identity, list[Candidate]] = defaultdict(list)
        self._checked: dict[Identity, Checked] = {}
        self._broken: set[Identity] = set()
        self._mounts: dict[Identity, tuple[Mount, ...]] = {}

    def run(self) -> None:
        """Everything up to the contents of the files that workloads mount."""
        self._paths()
        kinds = self._all_kinds()
        self._collect(kinds)
        for identity, group in self._groups.items():
            self._check(identity, group, kinds)
        self._mount()
        self._doubt()
        self._refer()
        self._unknown_kinds(kinds)

    def mounted_blobs(self) -> Iterator[str]:
        for identity, mounts in self._mounts.items():
            if identity not in self._broken:
                yield from (mount.entry.blob for mount in mounts)

    def specs(self, parsed: int) -> Specs:
        """The result, once the contents of the mounted files are there."""
        documents = {}
        for identity in sorted(self._checked.keys() - self._broken):
            checked = self._checked[identity]
            document = checked.document
            if document is not None:
                mounts = self._mounts.get(identity)
                documents[identity] = self._with_files(checked, document, mounts) if mounts else document
        problems = dict.fromkeys(self._problems)
        return Specs(
            self._snapshot.source,
            self._snapshot.revision,
            documents,
            tuple(sorted(problems, key=lambda p: (p.location, p.severity, p.code, p.message, p.subject))),
            frozenset(self._broken),
            tuple(sorted(self._unread)),
            parsed,
        )

    # -- files and identities -----------------------------------------------------------------------------------------

    def _paths(self) -> None:
        """What is known to be missing before any file is read."""
        for path in self._snapshot.missing:
            message = "this path of the source is not in the revision"
            self._problems.append(
                Problem(Severity.ERROR, "missing-path", Location(path), message, hint="it may be misspelt, or gone")
            )
        for entry in self._snapshot.entries:
            if entry.layer >= 0 and (said := later.FILES.get(posixpath.basename(entry.path))):
                self._problems.append(Problem(Severity.ERROR, "not-yet", Location(entry.path), said))
        for skipped in self._snapshot.skipped:
            spec = skipped.path.endswith(_SUFFIXES) or skipped.reason is SkipReason.SUBMODULE
            if spec and skipped.reason is not SkipReason.IGNORED and _under(skipped.path, self._snapshot.paths):
                detail = f" ({skipped.detail})" if skipped.detail else ""
                message = f"what this file describes is unknown, it is not read: {skipped.reason}{detail}"
                problem = Problem(
                    Severity.ERROR,
                    "unreadable",
                    Location(skipped.path),
                    message,
                    hint="if it is no spec, list it in .reconcilerignore",
                )
                self._unread[skipped.path] = (None, [problem])

    def _file(self, entry: Entry) -> File:
        file = self._loader._files.get((entry.blob, entry.path.endswith(".json")))
        assert file is not None  # noqa: S101 - every entry was read
        return file

    def _all_kinds(self) -> Kinds:
        """Kinds change only with a CustomResourceDefinition or with the cluster."""
        definitions = [file for entry in self._entries if (file := self._file(entry)).definitions]
        key = (frozenset(self._scopes.items()), *definitions)
        if self._loader._kinds is None or self._loader._kinds[0] != key:
            crds = [definition for file in definitions for definition in file.definitions]
            self._loader._kinds = (key, Kinds(self._scopes, crds))
        return self._loader._kinds[1]

    def _collect(self, kinds: Kinds) -> None:
        count = 0
        memory = self._loader._candidates
        for entry in self._entries:
            file = self._file(entry)
            count += len(file.parts)
            if count > self._limits.documents:
                message = (
                    f"more than {self._limits.documents:,} documents in all; this file and what follows is left out"
                )
                self._unread[entry.path] = (
                    entry,
                    [Problem(Severity.ERROR, "too-many-documents", Location(entry.path), message)],
                )
                return
            key = (entry, self._namespace, kinds)
            candidates = memory.get(key)
            if candidates is None:
                candidates = tuple(self._candidate(entry, file, part, kinds) for part in file.parts)
                memory.put(key, candidates)
            for candidate in candidates:
                if candidate.identity is not None:
                    self._groups[candidate.identity].append(candidate)
                else:
                    self._unidentified(entry, candidate)
            if file.fault is not None:
                self._cannot_read(entry, self._teller.fault(entry.path, file, file.fault))

    def _candidate(self, entry: Entry, file: File, part: Part, kinds: Kinds) -> Candidate:
        identity = identity_of(part.value, kinds, self._namespace)
        candidate = Candidate(entry.path, entry.layer, file, part, identity)
        if identity is None and not any(fault.severity is Severity.ERROR for fault in part.faults):
            # A name such as 123 is a text that lacks its quotes.
            text = self._teller.text(file)
            value, findings = settled(candidate, kinds.untyped, text)
            noted = tuple(
                Fault(f.code, f.message, text.mark(part, f.path, key=False), f.hint, severity=f.severity)
                for f in findings
            )
            if (identity := identity_of(value, kinds, self._namespace)) is not None:
                return Candidate(entry.path, entry.layer, file, replace(part, value=value, faults=noted), identity)
        return candidate

    def _unidentified(self, entry: Entry, candidate: Candidate) -> None:
        for fault in candidate.part.faults:
            self._cannot_read(entry, self._teller.fault(entry.path, candidate.file, fault))
        for problem in self._teller.findings(unidentified(candidate.part), (candidate,), candidate.part.value):
            self._cannot_read(entry, problem)

    def _cannot_read(self, entry: Entry, problem: Problem) -> None:
        self._unread.setdefault(entry.path, (entry, []))[1].append(problem)

    # -- documents ----------------------------------------------------------------------------------------------------

    def _check(self, identity: Identity, group: Sequence[Candidate], kinds: Kinds) -> None:
        layers = {candidate.layer: candidate for candidate in reversed(group)}
        if len(layers) < len(group):
            for candidate in group:
                if (first := layers[candidate.layer]) is not candidate:
                    finding = Finding(
                        "duplicate-document", (), f"{identity} is described twice", "remove one of the two"
                    )
                    problem = self._teller.finding(finding, (candidate,), candidate.part.value)
                    self._refuse(identity, replace(problem, also=(first.location,)))
        key = tuple(group)
        checked = self._loader._checked.get(key)
        if checked is None:
            checked = check(tuple(layers[layer] for layer in sorted(layers)), kinds, self._teller)
            self._loader._checked.put(key, checked)
        self._checked[identity] = checked
        self._problems += checked.problems
        if checked.document is None:
            self._broken.add(identity)

    def _refuse(self, identity: Identity, problem: Problem) -> None:
        self._problems.append(problem)
        self._broken.add(identity)

    def _found(self, checked: Checked, finding: Finding) -> None:
        """A finding that needs the whole snapshot."""
        problem = self._teller.finding(finding, checked.candidates, checked.value)
        self._problems.append(problem)
        if finding.severity is Severity.ERROR:
            self._broken.add(checked.identity)

    def _mount(self) -> None:
        tree: Tree | None = None
        for identity, checked in self._checked.items():
            if not checked.files:
                continue
            tree = tree or Tree(self._snapshot)
            mounts: list[Mount] = []
            for path, stated in checked.files:
                values = [candidate.part.value for candidate in checked.candidates]
                document = checked.candidates[source_of(path, checked.value, values)[0]].path
                found = tree.mounts(path, str(path[-1]), stated, document)
                if isinstance(found, Finding):
                    self._found(checked, found)
                else:
                    mounts += found
            self._mounts[identity] = tuple(mounts)
            if message := too_large(mounts, self._limits):
                self._found(
                    checked,
                    Finding(
                        "files-too-large", ("spec", "files"), message, "put large files into the image or a volume"
                    ),
                )

    def _with_files(self, checked: Checked, document: Document, mounts: tuple[Mount, ...]) -> Document:
        key = (checked, mounts)
        found = self._loader._documents.get(key)
        if found is None:
            files = []
            for folder, name, entry in mounts:
                content = self._loader._contents.get(entry.blob)
                assert content is not None  # noqa: S101 - it was just read
                files.append(MountedFile(folder, name, entry.blob, content))
            digest = digest_of(document.digest, [(mount.folder, mount.name, mount.entry.blob) for mount in mounts])
            found = replace(document, files=tuple(files), digest=digest)
            self._loader._documents.put(key, found)
        return found

    # -- the whole ----------------------------------------------------------------------------------------------------

    def _doubt(self) -> None:
        """Files that cannot be read, apart from those that are mounted and need not be specs."""
        mounted = {mount.entry.path for mounts in self._mounts.values() for mount in mounts}
        read: dict[str, set[Identity]] = defaultdict(set)
        if self._unread:
            for identity, group in self._groups.items():
                for candidate in group:
                    read[candidate.path].add(identity)
        for path in sorted(self._unread.keys() & mounted):
            if path not in read:
                del self._unread[path]
        for path, (entry, problems) in sorted(self._unread.items()):
            self._problems += problems
            if entry is None or len(self._snapshot.paths) < 2:
                continue
            text = str(self._teller.text(self._file(entry))) or None
            held = sorted(set(in_doubt(text, entry.layer, self._groups, frozenset(read[path]))) - self._broken)
            self._broken.update(held)
            if held:
                names = ", ".join(str(identity) for identity in held[:3]) + (", …" if len(held) > 3 else "")
                message = f"until this file can be read, what may be merged with it is left as it is: {names}"
                self._problems.append(Problem(Severity.ERROR, "held-by-unreadable", Location(path), message))

    def _refer(self) -> None:
        names = Names(self._groups, self._broken, self._unread)
        checked = [one for identity, one in self._checked.items() if one.images or one.depends_on]
        for one in checked:
            if one.identity in self._broken:
                continue
            for path, image in one.images:
                if (finding := names.image(path, image, one)) is not None:
                    self._found(one, finding)
            for path, text in one.depends_on:
                if (finding := names.dependency(path, text, one)) is not None:
                    self._found(one, finding)
        graph = edges(checked, names)
        for circle in cycles(graph):
            way = " → ".join(str(identity) for identity in (*circle, circle[0]))
            one = self._checked[circle[0]]
            self._found(
                one, Finding("cycle", graph[circle[0]][circle[1 % len(circle)]], f"dependencies in a circle: {way}")
            )
            self._broken.update(circle)

    def _unknown_kinds(self, kinds: Kinds) -> None:
        """One warning a kind, not one a document."""
        unknown: dict[GroupVersionKind, list[Candidate]] = defaultdict(list)
        for checked in self._checked.values():
            if checked.unknown is not None:
                unknown[checked.unknown].append(checked.candidates[0])
        for gvk, candidates in unknown.items():
            first, *more = sorted(candidates, key=lambda candidate: candidate.location)
            count = f"{len(candidates)} documents are" if more else "it is"
            message = f"unknown kind {gvk.kind} of {gvk.api_version}, {count} not validated"
            finding = Finding(
                "unknown-kind", ("kind",), message, unknown_kind_hint(gvk, kinds), severity=Severity.WARNING
            )
            problem = self._teller.finding(finding, (first,), first.part.value)
            self._problems.append(replace(problem, also=tuple(candidate.location for candidate in more[:3])))


def _specs(snapshot: Snapshot) -> list[Entry]:
    return [
        entry
        for entry in snapshot.entries
        if entry.layer >= 0 and entry.path.endswith(_SUFFIXES) and posixpath.basename(entry.path) not in later.FILES
    ]


def _batches(new: Mapping[tuple[str, bool], Entry]) -> Iterator[list[tuple[str, bool]]]:
    batch: list[tuple[str, bool]] = []
    size = 0
    for key, entry in new.items():
        batch.append(key)
        size += entry.size
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _under(path: str, paths: Iterable[str]) -> bool:
    return any(one in (".", "") or path == one or path.startswith(f"{one}/") for one in paths)
