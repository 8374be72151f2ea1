"""What a registry's refusal means, in one error with advice."""

import json
from typing import Final
from urllib.parse import urlsplit

from reconciler.errors import (
    ImageError,
    ImageMissing,
    ImageRefused,
    RegistryDenied,
    RegistryUnreachable,
    TransportError,
)
from reconciler.http.transport import Response

_LONGEST: Final = 200


def printable(text: str, longest: int = _LONGEST) -> str:
    """What a stranger wrote, fit for one line of a terminal."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= longest else shown[:longest] + "…"


def no_answer(error: TransportError, where: str, host: str) -> RegistryUnreachable:
    """The registry at `host` gave no usable answer. The request's path may hold a signature, so it is left out."""
    what = f"the registry {host} gave no usable answer"
    return RegistryUnreachable(what, where=where, why=error.why, hint=error.hint)


def refusal(answer: Response, where: str, host: str) -> ImageError:
    """The error for an answer that is none of those that were hoped for."""
    said = _said(answer)
    match answer.status:
        case 401:
            return RegistryDenied(
                f"the registry {host} refuses our credentials, or has no such repository",
                where=where,
                why=said,
                hint="are there credentials for it in the file registries.configFile?",
            )
        case 403:
            return RegistryDenied(
                f"the registry {host} does not allow it",
                where=where,
                why=said,
                hint="may the user of registries.configFile pull from the repository (and push to it, for builds)?",
            )
        case 404:
            return ImageMissing(f"the registry {host} does not have it", where=where, why=said)
        case 429:
            return RegistryUnreachable(
                f"the registry {host} is asked too often",
                where=where,
                why=said,
                hint="with credentials the limit may be higher; else lengthen the scan's interval",
            )
        case status if status in (301, 302, 303, 307, 308):
            return ImageRefused(
                f"the registry {host} redirects to {_host(answer.headers.get('location', '')) or 'nowhere'}",
                where=where,
                hint="state the registry that it redirects to",
            )
        case status if status >= 500:
            return RegistryUnreachable(f"the registry {host} has failed", where=where, why=said)
        case _:
            return ImageError(f"the registry {host} refuses it", where=where, why=said)


def _host(url: str) -> str:
    """The host of a URL, for people; "" where there is none. The rest may hold a signature."""
    try:
        return printable(urlsplit(url).hostname or "")
    except ValueError:
        return ""


def _said(answer: Response) -> str:
    """The code and the registry's own words, if it follows the specification in saying them."""
    try:
        errors = json.loads(answer.body)["errors"]
        parts = [f"{one.get('code') or ''} {one.get('message') or ''}".strip() for one in errors]
    except (ValueError, TypeError, KeyError, AttributeError):
        parts = []
    text = printable("; ".join(part for part in parts if part))
    return f"{answer.status}: {text}" if text else f"it answered {answer.status}"
