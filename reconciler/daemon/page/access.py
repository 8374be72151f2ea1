"""Who may see the page.

With a token: who brings it, as `Authorization: Bearer TOKEN` or by the login form, which leaves a cookie that proves it
for a day. The cookie holds no token, only a time and its HMAC under a key made from the token: it ends with the token.

Without one: this machine only, which is where `kubectl port-forward` comes out, and only under a name of this machine,
so that no page from elsewhere can have a browser read it by DNS rebinding. What a proxy says to have passed on is not
from this machine.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from reconciler.clock import Clock

COOKIE: Final = "reconciler-page"
LASTS: Final = 86_400  # seconds
SHORTEST: Final = 16  # characters of a token
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Verdict(Enum):
    YES = "yes"
    TOKEN = "a token is needed"  # noqa: S105 - no password
    ELSEWHERE = "this machine only"
    BROKEN = "the token cannot be read"


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a request brings: the peer's address, the headers Host, Authorization and the value of our cookie.

    `forwarded` says that a proxy passed it on, for somebody who may be anywhere.
    """

    peer: str
    host: str
    authorization: str = ""
    cookie: str = ""
    forwarded: bool = False


class Access:
    """Decides; `token_file` is read each time, because Secrets that are mounted are exchanged under way."""

    def __init__(self, token_file: str | None, clock: Clock) -> None:
        self._file = Path(token_file) if token_file else None
        self._clock = clock

    @property
    def by_token(self) -> bool:
        return self._file is not None

    def judge(self, visitor: Visitor) -> Verdict:
        if self._file is None:
            return Verdict.YES if _is_local(visitor) else Verdict.ELSEWHERE
        if not (token := self._token()):
            return Verdict.BROKEN
        scheme, _, brought = visitor.authorization.partition(" ")
        if scheme.lower() == "bearer" and _same(brought.strip(), token):
            return Verdict.YES
        return Verdict.YES if self._proves(visitor.cookie, token) else Verdict.TOKEN

    def opens(self, brought: str) -> str | None:
        """The cookie for somebody who brings `brought` as the token; None where it is not that."""
        token = self._token()
        if not token or not _same(brought.strip(), token):
            return None
        end = str(int(self._clock.now().timestamp()) + LASTS)
        return f"{end}.{_seal(end, token)}"

    def _proves(self, cookie: str, token: str) -> bool:
        end, _, seal = cookie.partition(".")
        if not _same(seal, _seal(end, token)):
            return False
        return self._clock.now().timestamp() < int(end)

    def _token(self) -> str:
        """The token, "" where there is none to be trusted."""
        try:
            token = self._file.read_text(encoding="utf-8").strip() if self._file else ""
        except (OSError, UnicodeDecodeError):
            return ""
        return token if len(token) >= SHORTEST else ""


def _seal(end: str, token: str) -> str:
    key = hashlib.sha256(b"reconciler status page\0" + token.encode()).digest()
    return hmac.new(key, end.encode(), hashlib.sha256).hexdigest()


def _same(brought: str, wanted: str) -> bool:
    """Takes as long whatever they have in common."""
    return hmac.compare_digest(brought.encode("utf-8", "replace"), wanted.encode())


def _is_local(visitor: Visitor) -> bool:
    try:
        address = ip_address(visitor.peer)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    host, colon, port = visitor.host.rpartition(":")
    name = host if colon and port.isdecimal() else visitor.host
    return address.is_loopback and name.lower() in _LOCAL and not visitor.forwarded
