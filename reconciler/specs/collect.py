"""From files to candidates, by the object that each describes."""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.snapshot import Entry, SkipReason, Snapshot
from reconciler.specs import later
from reconciler.specs.candidate import Candidate
from reconciler.specs.identify import unidentified
from reconciler.specs.ledger import Ledger
from reconciler.specs.limits import Limits
from reconciler.specs.memory import Memory
from reconciler.specs.parts import File, Part
from reconciler.specs.scope import Kinds
from reconciler.specs.settle import settled

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_RESERVED: Final = tuple(later.FILES)
_IGNORE: Final = "if it is no spec, list it in .reconcilerignore"

Groups = Mapping[Identity, Sequence[Candidate]]


def spec_files(snapshot: Snapshot, ledger: Ledger) -> list[Entry]:
    """The files that are to be read as specs. Reserved names are not: they go to the ledger."""
    files = []
    for entry in snapshot.entries:
        path = entry.path
        if entry.layer < 0 or not path.endswith(_SUFFIXES):
            continue
        if path.endswith(_RESERVED) and (said := later.FILES.get(posixpath.basename(path))):
            ledger.problems.append(Problem(Severity.ERROR, "not-yet", Location(path), said, hint="remove the file"))
        else:
            files.append(entry)
    return files


def note_what_is_missing(snapshot: Snapshot, ledger: Ledger) -> None:
    """What can be said before any file is read: missing paths, and files that are not read."""
    for path in snapshot.missing:
        message = "this path of the source is not in the revision"
        ledger.problems.append(Problem(Severity.ERROR, "missing-path", Location(path), message))
    for skipped in snapshot.skipped:
        spec = skipped.path.endswith(_SUFFIXES) or skipped.reason is SkipReason.SUBMODULE
        if spec and skipped.reason is not SkipReason.IGNORED and _under(skipped.path, snapshot.paths):
            detail = f" ({skipped.detail})" if skipped.detail else ""
            message = f"this is not read, so what it describes is unknown: {skipped.reason}{detail}"
            problem = Problem(Severity.ERROR, "not-read", Location(skipped.path), message, hint=_IGNORE)
            ledger.cannot_read(skipped.path, None, None, problem)


class Collector:
    """Groups the documents of all files by identity. What has none goes to the ledger."""

    def __init__(self, memory: Memory, ledger: Ledger, kinds: Kinds, limits: Limits) -> None:
        self._memory = memory
        self._ledger = ledger
        self._kinds = kinds
        self._limits = limits

    def collect(self, files: Iterable[tuple[Entry, File]]) -> Groups:
        """The candidates of each identity, in the order of `files`."""
        groups: dict[Identity, list[Candidate]] = defaultdict(list)
        count = 0
        for entry, file in files:
            count += len(file.parts)
            if count > self._limits.documents:
                message = f"more than {self._limits.documents:,} documents; this file and those after it are left out"
                problem = Problem(Severity.ERROR, "too-many-documents", Location(entry.path), message)
                self._ledger.cannot_read(entry.path, entry.layer, None, problem)
                break
            for candidate in self._candidates(entry, file):
                if candidate.identity is not None:
                    groups[candidate.identity].append(candidate)
                else:
                    self._unidentified(entry, candidate)
            if file.fault is not None:
                self._cannot_read(entry, file, self._ledger.teller.fault(entry.path, file, file.fault))
        return groups

    def _candidates(self, entry: Entry, file: File) -> tuple[Candidate, ...]:
        key = (entry.blob, entry.path, entry.layer)
        known = self._memory.candidates.get(key)
        if known is not None and known[0] is self._kinds:
            return known[1]
        candidates = tuple(self._candidate(entry, file, part) for part in file.parts)
        self._memory.candidates.put(key, (self._kinds, candidates))
        return candidates

    def _candidate(self, entry: Entry, file: File, part: Part) -> Candidate:
        candidate = Candidate(entry.path, entry.layer, file, part, self._kinds.identity(part.value))
        if candidate.identity is not None or any(fault.severity is Severity.ERROR for fault in part.faults):
            return candidate
        # A name such as 123 is a text that lacks its quotes.
        value, _ = settled(candidate, self._kinds.untyped, self._ledger.teller.text(file))
        return replace(candidate, identity=self._kinds.identity(value))

    def _unidentified(self, entry: Entry, candidate: Candidate) -> None:
        teller, part = self._ledger.teller, candidate.part
        for fault in part.faults:
            self._cannot_read(entry, candidate.file, teller.fault(entry.path, candidate.file, fault))
        for problem in teller.findings(unidentified(part), (candidate,), part.value):
            self._cannot_read(entry, candidate.file, problem)

    def _cannot_read(self, entry: Entry, file: File, problem: Problem) -> None:
        text = str(self._ledger.teller.text(file)) or None
        self._ledger.cannot_read(entry.path, entry.layer, text, problem)


def _under(path: str, paths: Iterable[str]) -> bool:
    return any(one in (".", "") or path == one or path.startswith(f"{one}/") for one in paths)
