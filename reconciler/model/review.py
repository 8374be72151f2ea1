"""What a reviewer is told of a merge: the dangers, each under a code, and what they add up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.spec import Origin


class Level(StrEnum):
    BLOCK = "block"
    WARN = "warn"
    OFF = "off"


class Verdict(StrEnum):
    """Of the whole merge; the last is the gravest."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    BLOCK = "block"
    INVALID = "invalid"  # a spec is invalid: what would be applied is not what was written


class RiskCode(StrEnum):
    """A closed set; docs/review.md explains each."""

    DATA_LOSS = "data-loss"
    HELD_PRUNE = "held-prune"
    REFUSED = "refused"
    UNSERVED_VERSION = "unserved-version"
    WIDER_PRIVILEGES = "wider-privileges"
    WEAKER_POD_SECURITY = "weaker-pod-security"
    REPLACEMENT = "replacement"
    DELETION = "deletion"
    TAKEOVER = "takeover"
    TASK_RUNS_AGAIN = "task-runs-again"
    NO_ROOM = "no-room"
    BLOCKING_BUDGET = "blocking-budget"
    SERVICE_WITHOUT_ENDPOINTS = "service-without-endpoints"


LEVELS: Final[Mapping[RiskCode, Level]] = {
    code: Level.BLOCK
    if code in (RiskCode.DATA_LOSS, RiskCode.HELD_PRUNE, RiskCode.REFUSED, RiskCode.UNSERVED_VERSION)
    else Level.WARN
    for code in RiskCode
}
"""What each weighs where a repository says nothing else. The order of the codes is that of their gravity."""


class ReviewRules(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """`review` of a reconciler.yaml; that of the base branch counts.

    `risks` sets levels by code. `approvers` are, by code, accounts of the forge: a risk of that code blocks until one
    of them has approved the head.
    """

    risks: dict[str, Level] = {}
    approvers: dict[str, tuple[str, ...]] = {}

    def level(self, code: RiskCode) -> Level:
        return self.risks.get(code.value, LEVELS[code])


@dataclass(frozen=True, slots=True)
class Risk:
    """One danger of a merge. `identity` is the object, `origin` the document in the head, where there is one."""

    code: RiskCode
    identity: Identity
    message: str
    origin: Origin | None = None
    level: Level = Level.WARN
