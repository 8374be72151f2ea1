"""What a spec or a reconciler.yaml says of how to weigh, and the daemon's configuration does not let it."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from reconciler.model.planner_config import PlannerConfig, PlannerSettings
from reconciler.model.problem import Severity
from reconciler.specs.finding import Finding
from reconciler.specs.place import Path

_LIMITS: Final = (
    "planner.repositories of the daemon's configuration has the limits: stay within them, or have it widened"
)


def beyond(stated: Any, at: Path, config: PlannerConfig | None, severity: Severity) -> Iterator[Finding]:
    """Of settings at a path, which their schema accepts; nothing where there is no planner to say what it lets. What is
    only warned of counts as far as it may."""
    if stated and config is not None:
        for each in config.beyond(msgspec.convert(stated, PlannerSettings)):
            message = each.why if severity is Severity.ERROR else str(each)
            yield Finding("beyond-limits", (*at, *each.path), message, _LIMITS, severity=severity)
