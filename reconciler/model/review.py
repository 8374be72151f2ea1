"""What a reviewer is told of a merge."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kube.names import Identity
from reconciler.model.review_rules import Level, RiskCode
from reconciler.model.spec import Origin


class Verdict(StrEnum):
    """Of the whole merge; the last is the gravest."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    BLOCK = "block"
    INVALID = "invalid"  # a spec is invalid: what would be applied is not what was written


@dataclass(frozen=True, slots=True)
class Risk:
    """One danger of a merge. `identity` is the object, `origin` the document in the head, where there is one."""

    code: RiskCode
    identity: Identity
    message: str
    origin: Origin | None = None
    level: Level = Level.WARN
