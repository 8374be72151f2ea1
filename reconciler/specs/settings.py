"""What a repository decides for itself: `reconciler.yaml`, at its root or at the root of a path of the source."""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from reconciler.model.planner_config import PlannerConfig, PlannerSettings
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.review_rules import ReviewRules
from reconciler.model.rules import IgnoreRule, RepositorySettings
from reconciler.model.snapshot import Entry, Snapshot
from reconciler.specs.candidate import Candidate
from reconciler.specs.fault import Fault
from reconciler.specs.finding import Finding
from reconciler.specs.ledger import Ledger
from reconciler.specs.overlay import without_nulls
from reconciler.specs.parts import NO_KIND, File
from reconciler.specs.weighing import beyond
from reconciler.specs.words import refusals

NAME: Final = "reconciler.yaml"


class Ruling(NamedTuple):
    """What all files say together. Not `known`: one file is broken, and what it said before is not known either."""

    rules: tuple[IgnoreRule, ...] = ()
    known: bool = True
    planner: PlannerSettings | None = None
    review: ReviewRules | None = None


def settings_files(snapshot: Snapshot, ledger: Ledger) -> list[Entry]:
    """The files that hold settings, those of later paths last. Those in other places go to the ledger."""
    places = {NAME, *(posixpath.normpath(posixpath.join(path, NAME)) for path in snapshot.paths)}
    found = []
    for entry in snapshot.entries:
        if not entry.path.endswith(NAME) or posixpath.basename(entry.path) != NAME:
            continue
        if entry.path in places:
            found.append(entry)
        elif entry.layer >= 0:
            said = "settings stand at the root of the repository or of a path of the source"
            hint = f"move it to {min(places)}, or list it in .reconcilerignore"
            ledger.problems.append(Problem(Severity.ERROR, "misplaced", Location(entry.path), said, hint=hint))
    return found


class Settings:
    """Reads them. A file that is broken counts as it was when it was last whole.

    What it wishes of the daemon's `planner` beyond its limits is told.
    """

    def __init__(self, planner: PlannerConfig | None = None) -> None:
        self._planner = planner
        self._last: dict[str, RepositorySettings] = {}

    def read(self, files: Iterable[tuple[Entry, File]], ledger: Ledger) -> Ruling:
        """What `files` rule, of the planner each term as the last says; what is wrong with them goes to the ledger."""
        last, self._last = self._last, {}
        rules: list[IgnoreRule] = []
        known = True
        planner: PlannerSettings | None = None
        review: ReviewRules | None = None
        for entry, file in files:
            problems = _problems(entry, file, ledger)
            if not problems:
                self._last[entry.path] = _settings(file)
            elif entry.path in last:
                self._last[entry.path] = last[entry.path]
            else:
                known = False
            ledger.problems += problems or self._beyond(entry, file, ledger)
            if (found := self._last.get(entry.path)) is not None:
                rules += found.ignore
                planner = _over(planner, found.planner)
                review = _reviewed(review, found.review)
        return Ruling(tuple(rules), known, planner, review)

    def _beyond(self, entry: Entry, file: File, ledger: Ledger) -> list[Problem]:
        found = []
        for part in file.parts[:1]:
            candidate = Candidate(entry.path, entry.layer, file, part, None)
            wish = without_nulls(part.value).get("planner")
            findings = beyond(wish, ("planner",), self._planner, Severity.WARNING)
            found += ledger.teller.findings(findings, (candidate,), part.value)
        return found


def _problems(entry: Entry, file: File, ledger: Ledger) -> list[Problem]:
    faults = [file.fault] if file.fault is not None else []
    # A file of settings has no kind, and need have none.
    faults += [fault for part in file.parts for fault in part.faults if fault.hint != NO_KIND]
    if file.parts[1:]:
        faults.append(Fault("too-many-documents", "settings are one document"))
    problems = [ledger.teller.fault(entry.path, file, fault) for fault in faults]
    for part in file.parts[:1] if not problems else ():
        candidate = Candidate(entry.path, entry.layer, file, part, None)
        if any(fault.hint == NO_KIND for fault in part.faults):
            findings = [Finding("wrong-type", (), "settings are a mapping")]
        else:
            findings = refusals(without_nulls(part.value), "repository")
        problems += ledger.teller.findings(findings, (candidate,), part.value)
    return problems


def _settings(file: File) -> RepositorySettings:
    value: Mapping[str, object] = without_nulls(file.parts[0].value) if file.parts else {}
    return msgspec.convert(value, RepositorySettings)


def _over(base: PlannerSettings | None, later: PlannerSettings | None) -> PlannerSettings | None:
    if base is None or later is None:
        return later or base
    return PlannerSettings(later.profile or base.profile, {**base.weights, **later.weights})


def _reviewed(base: ReviewRules | None, later: ReviewRules | None) -> ReviewRules | None:
    if base is None or later is None:
        return later or base
    return ReviewRules({**base.risks, **later.risks}, {**base.approvers, **later.approvers})
