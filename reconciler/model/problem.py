"""What is wrong with an input, said the way a compiler says it."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kube.names import Identity


class Severity(StrEnum):
    ERROR = "error"  # the document is quarantined
    WARNING = "warning"  # the document is used


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; `line` and `column` count from 1, 0 means the whole file."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.path
        return f"{self.path}:{self.line}:{self.column}" if self.column else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    `subject` names the document and field as people do: "Deployment/web spec.replicas". `code` is a stable word for
    machines ("duplicate-key", "unknown-field", …). `identity` is the quarantined document's, None where it is unknown:
    then its source prunes nothing.
    """

    severity: Severity
    code: str
    location: Location
    message: str
    subject: str = ""
    excerpt: str = ""  # the source line
    hint: str = ""
    identity: Identity | None = None
    also: tuple[Location, ...] = ()  # other places concerned: the second file of a duplicate

    def __str__(self) -> str:
        subject = f"{self.subject}: " if self.subject else ""
        warning = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.location}: {warning}{subject}{self.message}"

    def lines(self) -> list[str]:
        """As a terminal shows it: the sentence, the excerpt, the other places, the hint."""
        shown = [str(self)]
        if self.excerpt:
            shown.append(f"  |{self.excerpt}")
        shown.extend(f"  also: {place}" for place in self.also)
        if self.hint:
            shown.append(f"  hint: {self.hint}")
        return shown
