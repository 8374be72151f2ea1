"""Checks that many kinds share: words of a list, numbers, ports, names of resources."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from reconciler.sandbox import naming
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
NOT_NEGATIVE: Final = "must be greater than or equal to 0"
_PORT_RANGE: Final = "must be between 1 and 65535, inclusive"


def supported(causes: Causes, field: str, value: Any, words: Iterable[str]) -> None:
    if value not in words:
        causes.unsupported(field, value, words)


def counts(causes: Causes, status: Value, *names: str, within: tuple[tuple[str, str], ...] = ()) -> None:
    """Numbers of a status: none is negative, none of a pair's first greater than its second."""
    for name in names:
        not_negative(causes, f"status.{name}", status.get(name))
    for name, limit in within:
        if status.get(name, 0) > status.get(limit, 0):
            causes.invalid(f"status.{name}", status.get(name, 0), f"cannot be greater than {limit}")


def not_negative(causes: Causes, field: str, value: Any) -> None:
    if value is not None and value < 0:
        causes.invalid(field, value, NOT_NEGATIVE)


def port(causes: Causes, field: str, value: Any) -> None:
    """A number, or the name of a container's port."""
    if isinstance(value, str):
        causes.words(field, value, naming.port_name(value))
    elif not 1 <= value <= 65535:
        causes.invalid(field, value, _PORT_RANGE)


def address(causes: Causes, field: str, text: str) -> bool:
    """An address of IPv4 or IPv6; whether it is one."""
    try:
        ip_address(text)
    except ValueError:
        causes.invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        return False
    return True


def descends(causes: Causes, field: str, path: str) -> None:
    """A path that leads nowhere but down."""
    if path.startswith("/"):
        causes.invalid(field, path, "must be a relative path")
    stays(causes, field, path)


def stays(causes: Causes, field: str, path: str) -> None:
    if ".." in path.split("/"):
        causes.invalid(field, path, "must not contain '..'")


def file_mode(causes: Causes, field: str, mode: int | None) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        causes.invalid(field, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def identity(causes: Causes, field: str, number: Any) -> None:
    """The number of a user or a group."""
    if number is not None and not 0 <= number < 2**31:
        causes.invalid(field, number, "must be between 0 and 2147483647, inclusive")


def is_native(resource: str) -> bool:
    """Whether a resource is one of Kubernetes' own."""
    return "/" not in resource or "kubernetes.io/" in resource


def is_overcommitted(resource: str) -> bool:
    """Whether more of a resource may be promised than there is."""
    return is_native(resource) and not resource.startswith("hugepages-")


def resource_name(causes: Causes, field: str, name: str) -> None:
    """What a container can ask for."""
    problems = naming.qualified_name(name)
    causes.words(field, name, problems)
    if problems:
        return
    standard = name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
    if "/" not in name and not standard:
        causes.invalid(field, name, "must be a standard resource for containers")
    elif not is_native(name) and (name.startswith("requests.") or naming.qualified_name(f"requests.{name}")):
        causes.invalid(field, name, "doesn't follow extended resource name standard")
