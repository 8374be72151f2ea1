"""From files to candidates, by the object that each describes."""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.image import LOCK_FILE
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.snapshot import Entry, SkipReason, Snapshot
from reconciler.specs import settings
from reconciler.specs.candidate import Candidate
from reconciler.specs.identify import unidentified
from reconciler.specs.ledger import Ledger, Unread
from reconciler.specs.limits import Limits
from reconciler.specs.memory import Memory, Placed
from reconciler.specs.parts import File, Part
from reconciler.specs.scope import Kinds
from reconciler.specs.settle import settled

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_RESERVED: Final = (settings.NAME, LOCK_FILE)
_IGNORE: Final = "if it is no spec, list it in .reconcilerignore"

Groups = Mapping[Identity, Sequence[Candidate]]


def spec_files(snapshot: Snapshot) -> list[Entry]:
    """The files that are to be read as specs: those with reserved names are others' business."""
    return [
        entry
        for entry in snapshot.entries
        if entry.layer >= 0 and entry.path.endswith(_SUFFIXES) and not _reserved(entry.path)
    ]


def _reserved(path: str) -> bool:
    return path.endswith(_RESERVED) and posixpath.basename(path) in _RESERVED


def note_what_is_missing(snapshot: Snapshot, ledger: Ledger) -> None:
    """What can be said before any file is read: missing paths, and what the source left out."""
    for path in snapshot.missing:
        message = "this path of the source is not in the revision"
        ledger.problems.append(Problem(Severity.ERROR, "missing-path", Location(path), message))
    for skipped in snapshot.skipped:
        spec = skipped.path.endswith(_SUFFIXES)
        layer = _layer(skipped.path, snapshot.paths)
        if (
            layer is None
            or skipped.reason is SkipReason.IGNORED
            or not (spec or skipped.reason is SkipReason.SUBMODULE)
        ):
            continue
        detail = f" ({skipped.detail})" if skipped.detail else ""
        message = f"this is not read, so what it describes is unknown: {skipped.reason}{detail}"
        problem = Problem(Severity.ERROR, "not-read", Location(skipped.path), message, hint=_IGNORE)
        ledger.unread[skipped.path] = Unread(layer if spec else None, None, [problem])


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
        unread = self._ledger.unread
        count = 0
        for entry, file in files:
            count += len(file.parts)
            if count > self._limits.documents:
                message = f"more than {self._limits.documents:,} documents; this file and those after it are left out"
                problem = Problem(Severity.ERROR, "too-many-documents", Location(entry.path), message)
                unread[entry.path] = Unread(entry.layer, None, [problem])
                break
            placed = self._placed(entry, file)
            for candidate in placed.candidates:
                assert candidate.identity is not None  # noqa: S101 - the others are in `problems`
                groups[candidate.identity].append(candidate)
            if placed.problems:
                unread[entry.path] = Unread(entry.layer, file, list(placed.problems))
        return groups

    def _placed(self, entry: Entry, file: File) -> Placed:
        key = (entry.blob, entry.path, entry.layer)
        placed = self._memory.placed.get(key)
        if placed is None or placed.kinds is not self._kinds:
            placed = self._place(entry, file)
            self._memory.placed.put(key, placed)
        return placed

    def _place(self, entry: Entry, file: File) -> Placed:
        teller = self._ledger.teller
        candidates = [self._candidate(entry, file, part) for part in file.parts]
        problems: list[Problem] = []
        for candidate in candidates:
            if candidate.identity is None:
                part = candidate.part
                problems += (teller.fault(entry.path, file, fault) for fault in part.faults)
                problems += teller.findings(unidentified(part), (candidate,), part.value)
        if file.fault is not None:
            problems.append(teller.fault(entry.path, file, file.fault))
        identified = tuple(candidate for candidate in candidates if candidate.identity is not None)
        return Placed(self._kinds, identified, tuple(problems))

    def _candidate(self, entry: Entry, file: File, part: Part) -> Candidate:
        candidate = Candidate(entry.path, entry.layer, file, part, self._kinds.identity(part.value))
        if candidate.identity is not None or any(fault.severity is Severity.ERROR for fault in part.faults):
            return candidate
        # A name such as 123 is a text that lacks its quotes.
        value, _ = settled(candidate, self._kinds.untyped, self._ledger.teller.text(file))
        return replace(candidate, identity=self._kinds.identity(value))


def _layer(path: str, paths: Sequence[str]) -> int | None:
    """The layer of a file that is not among the entries: that of the most specific path which holds it."""
    holding = [one for one in paths if one in (".", path) or path.startswith(f"{one}/")]
    return paths.index(max(holding, key=lambda one: len(one) if one != "." else 0)) if holding else None
