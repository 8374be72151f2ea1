"""One document as one file states it, and what is found wrong with it as Problems."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.problem import Location, Problem, Severity
from reconciler.specs.fault import Fault
from reconciler.specs.finding import Finding, cut, dotted
from reconciler.specs.limits import Limits
from reconciler.specs.overlay import source_of
from reconciler.specs.parts import File, Part, Text

JSON = Any

_LONGEST: Final = 400  # characters of a sentence: names in it may be of any length
# Where a text is broken nobody knows what belongs to a Secret in it.
_SECRET: Final = re.compile(r"""kind["']?\s*:\s*["']?\w*Secret""")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A part of a file at its path and layer. Without an `identity` nobody can tell which object it describes."""

    path: str
    layer: int
    file: File
    part: Part
    identity: Identity | None

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind.of(self.part.value)

    @property
    def location(self) -> Location:
        return Location(self.path, self.part.line)

    @property
    def secret(self) -> bool:
        """Whether its values must not be repeated."""
        return is_secret(self.part.value)


class Teller:
    """Says Problems of files. Reads the text of a file only when there is something to say, and only once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._texts: dict[File, Text] = {}

    def text(self, file: File) -> Text:
        text = self._texts.get(file)
        if text is None:
            text = self._texts[file] = Text(file, self._limits)
        return text

    def fault(
        self, path: str, file: File, fault: Fault, *, subject: str = "", identity: Identity | None = None
    ) -> Problem:
        """A fault of the text itself."""
        also = (Location(path, *fault.also),) if fault.also else ()
        return Problem(
            fault.severity,
            fault.code,
            Location(path, *fault.mark),
            cut(fault.message, _LONGEST),
            subject=subject,
            excerpt="" if self.text(file).matches(_SECRET) else self.text(file).line(fault.mark.line),
            hint=fault.hint,
            identity=identity,
            also=also,
        )

    def finding(self, finding: Finding, candidates: Sequence[Candidate], value: JSON) -> Problem:
        """What is wrong with `value`, merged of `candidates`, said where the bad part of it is stated."""
        values = [candidate.part.value for candidate in candidates]
        first = finding.code == "missing-field"
        number, path = source_of(finding.path, value, values, first=first) if len(values) > 1 else (0, finding.path)
        candidate = candidates[number]
        mark = self.text(candidate.file).mark(candidate.part, path, key=finding.key)
        identity = candidate.identity
        error = finding.severity is Severity.ERROR
        return Problem(
            finding.severity,
            finding.code,
            Location(candidate.path, *mark),
            cut(finding.message, _LONGEST),
            subject=cut(f"{subject_of(candidate)} {dotted(finding.path)}".strip(), _LONGEST),
            excerpt="" if candidate.secret else self.text(candidate.file).line(mark.line),
            hint=cut(finding.hint, _LONGEST),
            identity=identity if error else None,
        )

    def findings(self, findings: Iterable[Finding], candidates: Sequence[Candidate], value: JSON) -> list[Problem]:
        return [self.finding(finding, candidates, value) for finding in findings]


def is_secret(value: JSON) -> bool:
    """Whether a document's values must not be repeated: Secret, and the kinds that are made into one."""
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("Secret")


def subject_of(candidate: Candidate) -> str:
    """`Deployment/web`; what there is of it where the document does not say all."""
    if candidate.identity is not None:
        return cut(f"{candidate.identity.kind}/{candidate.identity.name}", _LONGEST)
    kind, metadata = candidate.part.value.get("kind"), candidate.part.value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return cut("/".join(word for word in (kind, name) if isinstance(word, str)), _LONGEST)
