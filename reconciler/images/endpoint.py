"""Where a registry is reached, and with what trust: one connection for each place."""

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import ImageRefused
from reconciler.http.transport import Transport
from reconciler.images.reference import HUB, Repository
from reconciler.model.image import RegistryHost

HUB_ENDPOINT = "registry-1.docker.io"


class Origin(NamedTuple):
    """A scheme and a host with its port, as in a URL: who is spoken to."""

    scheme: str
    netloc: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


class Endpoint(NamedTuple):
    """`plain` says that HTTP without TLS is allowed, to this registry and to where it sends us."""

    origin: Origin
    plain: bool
    ca_file: str | None


Connect = Callable[[Origin, str | None], Transport]
"""Makes the Transport to an origin; the second argument is the file of an authority to trust as well."""


def endpoint(repository: Repository, hosts: Mapping[str, RegistryHost]) -> Endpoint:
    """How the registry of `repository` is reached."""
    stated = hosts.get(repository.registry)
    ca_file = stated.ca_file if stated else None
    plain = stated.plain_http if stated else None
    if plain is None:
        plain = repository.loopback and ca_file is None
    netloc = HUB_ENDPOINT if repository.registry == HUB else repository.registry
    return Endpoint(Origin("http" if plain else "https", netloc), plain, ca_file)


def locate(text: str, base: Origin, *, plain: bool) -> tuple[Origin, str]:
    """The origin and the path with query of a URL that a server gave, absolute or relative to `base`.

    Raises ImageRefused for one that leads to another protocol, or from TLS to none.
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _port = parts.port  # raises ValueError for what is no port
    except ValueError:
        raise ImageRefused(f"the registry {base.netloc} gave a URL that cannot be used") from None
    if not parts.scheme and not parts.netloc and parts.path.startswith("/"):
        origin = base
    elif parts.scheme in ("https", "http") and host and "@" not in parts.netloc:
        origin = Origin(parts.scheme, parts.netloc)
    else:
        raise ImageRefused(f"the registry {base.netloc} gave a URL that cannot be used")
    if origin.scheme == "http" and not plain:
        raise ImageRefused(f"the registry {base.netloc} leads to {origin}, which is not encrypted")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise ImageRefused(f"the registry {base.netloc} gave a URL that cannot be used")
    return origin, path


def connect(origin: Origin, ca_file: str | None) -> Transport:
    """A real connection. aiohttp is imported here and not before."""
    from reconciler.http.client import Hints, HttpTransport

    reach = "is the registry running, and is its address right?"
    trust = f"put the authority of its certificate into caFile of {origin.netloc} in the daemon's registries"
    context = _context(ca_file) if origin.scheme == "https" else None
    return HttpTransport(str(origin), ssl=context, hints=Hints(reach, trust, silent=reach))


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # SSLError is one
        raise ImageRefused("the file of an authority cannot be used", where=ca_file or "", why=str(error)) from None
    return context
