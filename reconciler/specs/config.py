"""The daemon's configuration: read, checked and typed, with refusals as good as those of specs."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from reconciler.errors import ConfigError
from reconciler.model.config import DaemonConfig
from reconciler.model.duration import seconds
from reconciler.model.problem import Location, Problem, Severity
from reconciler.specs import config_alerts, config_forges, config_images, config_planner
from reconciler.specs.fault import Fault
from reconciler.specs.finding import Finding, dotted, shown
from reconciler.specs.limits import Limits
from reconciler.specs.overlay import without_nulls
from reconciler.specs.parts import NO_KIND, Part, Text, read_file
from reconciler.specs.place import Path as Trail
from reconciler.specs.schemas import schema
from reconciler.specs.words import refusals

__all__ = ["ConfigRefused", "load_config", "read_config", "schema"]

JSON = Any

_DURATIONS: Final = (
    "interval",
    "timeout",
    "waitTimeout",
    "fullCheck",
    "duration",
    "groupWait",
    "groupInterval",
    "reminder",
    "keep",
    "podStart",
)
_NAMED_BY_OTHERS: Final = ("nodeSelector", "labels")  # a label may be called `interval`
_DAY: Final = 86_400  # seconds


class ConfigRefused(ConfigError):
    """Everything that is wrong with a configuration. As an error it is the first of its `problems`."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        what = f"{first.subject}: {first.message}" if first.subject else first.message
        super().__init__(what, where=str(first.location), hint=first.hint)
        self.problems = problems

    def diagnostics(self) -> Iterator[str]:
        """All problems, each with its place, excerpt and hint."""
        for problem in self.problems:
            yield from problem.lines()


def read_config(path: str) -> DaemonConfig:
    """The configuration in the file `path`. Raises ConfigError."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError("the configuration cannot be read", where=path, why=error.strerror or "") from None
    return _load(content, path)


def load_config(text: str, path: str) -> DaemonConfig:
    """The configuration that `text` holds, YAML or JSON by the name `path`. Raises ConfigError with file:line."""
    return _load(text.encode("utf-8", "surrogatepass"), path)


def _load(content: bytes, path: str) -> DaemonConfig:
    limits = Limits()
    file = read_file(content, limits, json=path.endswith(".json"))
    text = Text(file, limits)
    if file.fault is not None:
        raise ConfigRefused((_of_fault(path, text, file.fault),))
    if len(file.parts) != 1:
        raise ConfigError(f"there {'is more than one' if file.parts else 'is no'} document in this file", where=path)
    part = file.parts[0]
    problems = [_of_fault(path, text, fault) for fault in part.faults]
    value = without_nulls(part.value)
    findings = [] if problems else (refusals(value, "config") or list(_beyond(value)))
    problems += (_of_finding(path, text, part, finding) for finding in findings)
    if problems:
        raise ConfigRefused(tuple(sorted(problems, key=lambda p: (p.location, p.message))))
    return msgspec.convert(_in_seconds(value), DaemonConfig, strict=False)  # to a schema 4.0 is an integer


def _beyond(value: Mapping[str, JSON]) -> Iterator[Finding]:
    """What a schema cannot say."""
    names: dict[str, int] = {}
    for at, source in enumerate(value["sources"]):
        first = names.setdefault(source["name"], at)
        if first != at:
            message = f"{shown(source['name'])} is the name of sources[{first}] already"
            yield Finding("described-twice", ("sources", at, "name"), message, "names of sources are unique")
        namespaces = source.get("namespaces")
        if namespaces and source.get("namespace", "default") not in namespaces:
            message = f"the source's namespace {source.get('namespace', 'default')} is not among its namespaces"
            yield Finding(
                "bad-value", ("sources", at, "namespaces"), message, "add it, or set namespace to one of them"
            )
        for field, least in (("interval", 1), ("timeout", 1)):
            if isinstance(stated := source.get(field), str) and seconds(stated) < least:
                yield Finding("bad-value", ("sources", at, field), f"{stated} is less than {least} second")
        for number, window in enumerate(source.get("maintenance", ())):
            yield from _window(window, ("sources", at, "maintenance", number))
    yield from config_alerts.beyond(value.get("alerts", {}), names)
    yield from config_forges.beyond(value)
    yield from config_planner.beyond(value.get("planner", {}))
    yield from config_images.beyond(value.get("images", {}))
    if isinstance(pause := value.get("fullCheck"), str) and not 60 <= seconds(pause) <= _DAY:
        yield Finding("bad-value", ("fullCheck",), f"{pause} is not between a minute and a day")
    port = str(value.get("listen", ":1")).rpartition(":")[2]
    if not 0 < int(port) < 65536:
        yield Finding("bad-value", ("listen",), f"{port} is not a port from 1 to 65535")


def _window(window: Mapping[str, JSON], path: Trail) -> Iterator[Finding]:
    """A maintenance window that never opens, or that never closes."""
    from cronsim import CronSim, CronSimError  # here, because few configurations have windows

    try:
        ZoneInfo(window.get("timeZone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{shown(window['timeZone'])} is not a time zone"
        yield Finding("bad-value", (*path, "timeZone"), message, "such as Europe/Berlin")
    try:
        next(CronSim(window["schedule"], datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        message = f"{shown(window['schedule'])} is not a cron schedule, or never comes due"
        yield Finding("bad-value", (*path, "schedule"), message, "minute, hour, day, month, weekday: 0 22 * * 6")
    if isinstance(stated := window["duration"], str) and not 0 < seconds(stated) <= 7 * _DAY:
        yield Finding("bad-value", (*path, "duration"), f"{stated} is not between a second and a week")


def _in_seconds(value: JSON, name: str = "") -> JSON:
    """Durations as numbers; everything else as it is. `name` is that of the field that `value` is of."""
    if isinstance(value, str):
        return float(seconds(value)) if name in _DURATIONS else value
    if isinstance(value, dict):
        return {key: child if key in _NAMED_BY_OTHERS else _in_seconds(child, key) for key, child in value.items()}
    return [_in_seconds(child) for child in value] if isinstance(value, list) else value


def _holds_secret(path: Trail) -> bool:
    """Whether somebody may have put a password at `path`: the line is not repeated, then."""
    return any(step in ("url", "credentials") for step in path)


def _of_fault(path: str, text: Text, fault: Fault) -> Problem:
    hint = "" if fault.hint == NO_KIND else fault.hint
    excerpt = text.line(fault.mark.line)
    return Problem(Severity.ERROR, fault.code, Location(path, *fault.mark), fault.message, excerpt=excerpt, hint=hint)


def _of_finding(path: str, text: Text, part: Part, finding: Finding) -> Problem:
    mark = text.mark(part, finding.path, key=finding.key)
    return Problem(
        Severity.ERROR,
        finding.code,
        Location(path, *mark),
        finding.message,
        subject=dotted(finding.path),
        excerpt="" if _holds_secret(finding.path) else text.line(mark.line),
        hint=finding.hint,
    )
