"""The dangers that a review looks for, and what a repository makes of them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Level(StrEnum):
    BLOCK = "block"
    WARN = "warn"
    OFF = "off"


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

    risks: dict[str, Level | bool] = {}  # YAML reads an `off` without quotes as false
    approvers: dict[str, tuple[str, ...]] = {}

    def level(self, code: RiskCode) -> Level:
        stated = self.risks.get(code.value, LEVELS[code])
        return stated if isinstance(stated, Level) else Level.OFF
