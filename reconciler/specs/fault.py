"""What is wrong at a place in one text, before it is known which file and which document that is."""

from dataclasses import dataclass
from typing import Final

from reconciler.model.problem import Severity
from reconciler.specs.place import Mark

WHOLE: Final = Mark(0, 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a text. `item` is the index in a List where it lies, -1 elsewhere."""

    code: str
    message: str
    mark: Mark = WHOLE
    hint: str = ""
    also: Mark | None = None
    item: int = -1
    severity: Severity = Severity.ERROR
