"""Probes, and what runs when a container starts or stops."""

import re
from typing import Any, Final

from reconciler.sandbox.kinds import checks
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NUMBERS: Final = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HEADER: Final = re.compile(r"[-A-Za-z0-9]+")


def validate_probe(probe: Value, field: str, causes: Causes, *, only_once: bool) -> None:
    _handler(probe, field, 0, causes)
    for name in _NUMBERS:
        checks.not_negative(causes, f"{field}.{name}", probe.get(name))
    if only_once and probe.get("successThreshold", 0) != 1:
        causes.invalid(f"{field}.successThreshold", probe.get("successThreshold", 0), "must be 1")
    if probe.get("terminationGracePeriodSeconds", 1) <= 0:
        seconds = probe["terminationGracePeriodSeconds"]
        causes.invalid(f"{field}.terminationGracePeriodSeconds", seconds, "must be greater than 0")


def validate_lifecycle(lifecycle: Value, field: str, grace: int, causes: Causes, *, system: bool) -> None:
    for name in ("postStart", "preStop"):
        if (handler := lifecycle.get(name)) is not None:
            _handler(handler, f"{field}.{name}", grace, causes)
    if "stopSignal" in lifecycle and not system:
        causes.forbidden(f"{field}.stopSignal", "may not be set for containers with empty `spec.os.name`")


def _handler(handler: Value, field: str, grace: int, causes: Causes) -> None:
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        causes.required(field, "must specify a handler type")
        return
    for extra in given[1:]:
        causes.forbidden(f"{field}.{extra}", "may not specify more than 1 handler type")
    name = given[0]
    action, path = handler[name], f"{field}.{name}"
    if name == "exec":
        if not action.get("command"):
            causes.required(f"{path}.command")
    elif name == "sleep":
        if not 0 <= action.get("seconds", 0) <= grace:
            why = "must be non-negative and less than terminationGracePeriodSeconds"
            causes.invalid(path, action.get("seconds", 0), why)
    else:
        checks.port(causes, f"{path}.port", action.get("port", 0))
    if name == "httpGet":
        checks.supported(causes, f"{path}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
        for header in action.get("httpHeaders") or ():
            if not _HEADER.fullmatch(header.get("name", "")):
                causes.invalid(f"{path}.httpHeaders", header.get("name", ""), "must be the name of a header")
