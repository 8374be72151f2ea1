"""Why a document is not rendered."""

from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.spec import Document


class Refusal(Exception):
    """A document cannot be rendered safely. The Renderer makes it a Problem; what the document last made is kept.

    `field` reads `spec.image`; `code` is a stable word for machines. A warning passes by itself.
    """

    def __init__(
        self,
        code: str,
        field: str,
        message: str,
        *,
        hint: str = "",
        also: tuple[Location, ...] = (),
        severity: Severity = Severity.ERROR,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message
        self.hint = hint
        self.also = also
        self.severity = severity

    def problem(self, document: Document) -> Problem:
        """As a compiler would say it of `document`."""
        subject = f"{document.identity.kind}/{document.identity.name}"
        return Problem(
            self.severity,
            self.code,
            location(document),
            self.message,
            subject=f"{subject} {self.field}" if self.field else subject,
            hint=self.hint,
            identity=document.identity,
            also=self.also,
        )


def location(document: Document) -> Location:
    """Where a document begins."""
    return Location(document.origin.path, document.origin.line)
