"""What is found wrong in one load, and which documents that takes out of use."""

from dataclasses import dataclass, field

from reconciler.kube.names import Identity
from reconciler.model.problem import Problem, Severity
from reconciler.specs.candidate import Teller
from reconciler.specs.check import Checked
from reconciler.specs.finding import Finding
from reconciler.specs.parts import File


@dataclass(slots=True)
class Unread:
    """A file in which a document's identity cannot be told; `file` is None where it was not read at all.

    `layer` is None for what nobody takes for a patch of another document, a submodule.
    """

    layer: int | None = None
    file: File | None = None
    problems: list[Problem] = field(default_factory=list)


class Ledger:
    """Problems so far. `broken` are identities whose document is not to be used; `unread` are files, by path."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self.problems: list[Problem] = []
        self.broken: set[Identity] = set()
        self.unread: dict[str, Unread] = {}

    def refuse(self, identity: Identity, problem: Problem) -> None:
        self.problems.append(problem)
        self.broken.add(identity)

    def found(self, checked: Checked, finding: Finding) -> None:
        """Something that only the whole snapshot shows to be wrong with a document."""
        self.problems.append(self.teller.finding(finding, checked.candidates, checked.value))
        if finding.severity is Severity.ERROR:
            self.broken.add(checked.identity)

    def sorted(self) -> tuple[Problem, ...]:
        """All problems once, by place."""
        return tuple(sorted(set(self.problems), key=lambda p: (p.location, p.severity, p.code, p.subject, p.message)))
