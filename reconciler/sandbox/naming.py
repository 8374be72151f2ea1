"""What names, labels and selectors may look like. Each check returns what is wrong, in the server's words."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from reconciler.kube.names import DNS_1035_LABEL, DNS_LABEL, DNS_SUBDOMAIN

_RELAXED_SUBDOMAIN: Final = re.compile(r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_URL_PATH: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_ENVIRONMENT: Final = re.compile(r"[ -<>-~]+")
_PORT_NAME: Final = re.compile(r"[-a-z0-9]+")

_SUBDOMAIN_WORDS: Final = (
    "must be lower case letters, digits, '-' and '.', with a letter or digit at both ends of each part"
)
_LABEL_WORDS: Final = "must be lower case letters, digits and '-', with a letter or digit at both ends"
_LABEL_1035_WORDS: Final = "must be lower case letters, digits and '-', with a letter first and a letter or digit last"
_QUALIFIED_WORDS: Final = "name part must be letters, digits, '-', '_' and '.', with a letter or digit at both ends"
_VALUE_WORDS: Final = (
    "a label's value must be empty, or letters, digits, '-', '_' and '.', with a letter or digit at both ends"
)


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


def _checked(text: str, pattern: re.Pattern[str], limit: int, words: str) -> list[str]:
    found = [_too_long(limit)] if len(text) > limit else []
    if not pattern.fullmatch(text):
        found.append(words)
    return found


def dns_subdomain(name: str) -> list[str]:
    return _checked(name, DNS_SUBDOMAIN, 253, _SUBDOMAIN_WORDS)


def relaxed_subdomain(name: str) -> list[str]:
    """Where underscores do not hurt."""
    return _checked(name, _RELAXED_SUBDOMAIN, 253, _SUBDOMAIN_WORDS)


def dns_label(name: str) -> list[str]:
    return _checked(name, DNS_LABEL, 63, _LABEL_WORDS)


def dns_1035_label(name: str) -> list[str]:
    return _checked(name, DNS_1035_LABEL, 63, _LABEL_1035_WORDS)


def path_segment(name: str) -> list[str]:
    """For kinds whose names may hold colons and capitals: RBAC, and others that are only a part of a path."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{sign}'" for sign in ("/", "%") if sign in name]


def url_path(text: str) -> list[str]:
    """What may follow a domain in a name such as acme.io/foo."""
    return [] if _URL_PATH.fullmatch(text) else ["must be what a URL's path may hold"]


@lru_cache(maxsize=8192)
def qualified_name(text: str) -> tuple[str, ...]:
    """A label key, annotation key, finalizer or resource name: `name` or `prefix/name`."""
    prefix, slash, name = text.rpartition("/")
    found: list[str] = []
    if "/" in prefix:
        return (f"{_QUALIFIED_WORDS}, after at most one prefix and '/'",)
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found.extend(f"prefix part {problem}" for problem in dns_subdomain(prefix))
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append("name part " + _too_long(63))
    if not _QUALIFIED.fullmatch(name):
        found.append(_QUALIFIED_WORDS)
    return tuple(found)


@lru_cache(maxsize=8192)
def label_value(text: str) -> tuple[str, ...]:
    found = (_too_long(63),) if len(text) > 63 else ()
    return found if not text or _QUALIFIED.fullmatch(text) else (*found, _VALUE_WORDS)


def data_key(text: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    found = [_too_long(253)] if len(text) > 253 else []
    if not _KEY.fullmatch(text):
        found.append("must be letters, digits, '-', '_' and '.'")
    elif text == ".":
        found.append("must not be '.'")
    elif text.startswith(".."):
        found.append("must not be '..'" if text == ".." else "must not start with '..'")
    return found


def environment_name(text: str) -> list[str]:
    if not _ENVIRONMENT.fullmatch(text):
        return ["must be printable ASCII characters other than '='"]
    return []


def port_name(text: str) -> list[str]:
    found = [_too_long(15)] if len(text) > 15 else []
    if not _PORT_NAME.fullmatch(text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= sign <= "z" for sign in text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def shortened(check: Callable[[str], list[str]], limit: int) -> Callable[[str], list[str]]:
    """A name check with a lower limit, for kinds whose names become parts of others."""

    def shorter(name: str) -> list[str]:
        return [*([_too_long(limit)] if len(name) > limit else []), *check(name)]

    return shorter
