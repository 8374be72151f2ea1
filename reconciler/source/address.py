"""What may be given to Git: URLs, refs and paths of a source, checked before Git sees them.

Git takes commands in more places than one would think: `ext::sh -c …` is a URL that runs a program, an argument that
begins with "-" is an option, and `ssh://-oProxyCommand=…` is an option of ssh. So there is an allow-list:

    https://host/path          ssh://[user@]host[:port]/path       user@host:path
    /absolute/path             file:///absolute/path               http:// to a loopback address only

Credentials do not belong in a URL: URLs are shown in logs, in `ps` and in errors. They come from files.
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from reconciler.errors import SourceRefused

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENCODED_CONTROL: Final = re.compile(r"%(?:[01][0-9a-fA-F]|7[fF])")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SCP: Final = re.compile(r"(?P<user>[^@:/]+)@(?P<host>[^@:/]+):(?P<path>.+)")
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^\.|\.lock(?:/|$)|[./]$|^[-/]|^@$")
_BAD_REVISION: Final = re.compile(r"[\x00-\x20\x7f:?*\[\\{]|\.\.|^[-^]")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_USE_FILES: Final = "state them as files: credentials.username and credentials.passwordFile"


class Scheme(StrEnum):
    """The transports that are allowed; the values are Git's names for them."""

    HTTPS = "https"
    HTTP = "http"
    SSH = "ssh"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Address:
    """A repository's URL that is safe to give to Git. It holds no secret."""

    url: str
    scheme: Scheme
    origin: str = ""  # https and http: "https://host:port", the only place that credentials are sent to


def parse_url(url: str, where: str = "") -> Address:
    """The address that `url` states. Raises SourceRefused, and never repeats a URL that may hold a password."""
    if not url:
        raise SourceRefused("the repository URL is empty", where=where)
    if _CONTROL.search(url) or (not url.startswith("/") and (" " in url or _ENCODED_CONTROL.search(url))):
        raise SourceRefused("the repository URL holds a space or a control character", where=where)
    if url.startswith("-"):
        raise SourceRefused('the repository URL begins with "-"', where=where, why="Git would take it for an option")
    if "::" in url.split("/", 1)[0]:
        raise SourceRefused(
            f'the transport "{url.split("::", 1)[0]}::" is not allowed',
            where=where,
            why="such a URL names a program to run",
            hint="use https, ssh or an absolute path",
        )
    if url.startswith("/"):
        return Address(url, Scheme.FILE)
    if "://" in url:
        return _with_scheme(url, where)
    if match := _SCP.fullmatch(url):
        _check_ssh(match["user"], match["host"], match["path"], where)
        return Address(url, Scheme.SSH)
    raise SourceRefused(
        "the repository URL is neither a URL nor an absolute path",
        where=where,
        hint="use https://host/path, ssh://user@host/path, user@host:path or /absolute/path",
    )


def _with_scheme(url: str, where: str) -> Address:
    name = url.split("://", 1)[0]
    try:
        scheme = Scheme(name)
    except ValueError:
        raise SourceRefused(
            f'the transport "{name}" is not allowed',
            where=where,
            hint="use https, ssh or an absolute path",
        ) from None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SourceRefused("the repository URL cannot be read", where=where, why=str(error)) from None
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise SourceRefused('the repository URL holds a "?" or "#"', where=where, hint=f"for credentials, {_USE_FILES}")
    host = parts.hostname or ""
    if scheme is Scheme.FILE:
        if host or not parts.path.startswith("/") or "@" in parts.netloc:
            raise SourceRefused(
                "a file URL names an absolute path and no host", where=where, hint="file:///srv/repo.git"
            )
        return Address(url, scheme)
    if parts.password is not None or (parts.username is not None and scheme is not Scheme.SSH):
        raise SourceRefused("the repository URL holds credentials", where=where, hint=_USE_FILES)
    if scheme is Scheme.SSH:
        _check_ssh(parts.username, host, parts.path, where)
        return Address(url, scheme)
    if not _is_ip(host) and not _HOST.fullmatch(host):
        raise SourceRefused(f"the repository URL's host {host!r} is not a host name", where=where)
    if scheme is Scheme.HTTP and not _is_loopback(host):
        raise SourceRefused(
            "plain http is allowed to a loopback address only",
            where=where,
            why="what is applied to the cluster could be changed on the way",
            hint="use https",
        )
    netloc = f"[{host}]" if ":" in host else host
    return Address(url, scheme, f"{scheme}://{netloc}" + (f":{port}" if port else ""))


def _check_ssh(user: str | None, host: str, path: str, where: str) -> None:
    """Nothing of it may look like an option to ssh, or to the shell at the other end."""
    if not _is_ip(host) and not _HOST.fullmatch(host):
        raise SourceRefused(f"the repository URL's host {host!r} is not a host name", where=where)
    if user is not None and not _USER.fullmatch(user):
        raise SourceRefused(f"the repository URL's user {user!r} is not a user name", where=where)
    if not path.strip("/") or path.lstrip("/").startswith("-"):
        raise SourceRefused('the repository URL\'s path is empty or begins with "-"', where=where)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def is_commit(text: str) -> bool:
    """Whether `text` is a full commit id: 40 hexadecimal digits in lower case."""
    return _COMMIT.fullmatch(text) is not None


def check_ref(ref: str, where: str = "") -> str:
    """`ref` when it is a name that Git allows for a ref. Raises SourceRefused."""
    if not ref or len(ref) > 255 or _BAD_REF.search(ref):
        raise SourceRefused(
            f"{ref[:80]!r} is not the name of a branch or tag",
            where=where,
            hint='a branch, a tag, 40 hexadecimal digits, or "semver:<range>"',
        )
    return ref


def check_revision(rev: str) -> str:
    """`rev` when it may be asked of Git: a ref, a commit id or its beginning, with ~n and ^n after it.

    Raises SourceRefused. Git's other spellings (`:/text`, `@{…}`, `a..b`, `rev:path`) are not revisions here.
    """
    if not rev or len(rev) > 255 or _BAD_REVISION.search(rev):
        raise SourceRefused(f"{rev[:80]!r} is not a revision", hint="a branch, a tag or a commit id")
    return rev


def normal_path(path: str, where: str = "") -> str:
    """A configured path as it stands in a tree: "./base/" is "base", "." is the whole repository.

    Raises SourceRefused for what leads out of the repository or is not one plain path.
    """
    why = ""
    if path.startswith("/"):
        why = "it is absolute"
    elif "\\" in path or any(ord(letter) < 32 or letter == "\x7f" for letter in path):
        why = "it holds a backslash or a control character"
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        why = 'it holds ".."'
    if not path:
        why = "it is empty"
    if why:
        raise SourceRefused(
            f"{path[:80]!r} is not a path inside the repository",
            where=where,
            why=why,
            hint='write it relative to the repository\'s root, "." for all of it',
        )
    return "/".join(parts) or "."
