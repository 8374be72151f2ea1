"""References to images, by the grammar of the distribution specification.

    reference  [registry[:port]/]path[:tag][@digest]
    redis                    docker.io/library/redis        a name without a registry is Docker Hub's
    ada/shop:1.4             docker.io/ada/shop:1.4
    localhost/shop           localhost/shop                 a first part with "." or ":", or "localhost", is a registry
    [::1]:5000/shop@sha256:… the same

What a reference holds goes into URLs, file names and command lines, so anything outside the grammar is refused.
Source: https://github.com/distribution/reference (grammar and normalisation); digests are those that the image
specification registers, sha256 and sha512.
"""

import hashlib
import ipaddress
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from reconciler.errors import ImageRefused

HUB: Final = "docker.io"
LOOPBACK_NAME: Final = "localhost"
MAX_NAME: Final = 255  # characters of registry and path

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY: Final = re.compile(
    rf"(?:(?P<name>{_LABEL}(?:\.{_LABEL})*)|\[(?P<six>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LONGEST: Final = 1024  # characters; what is longer is not looked at
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{64}")  # how a local image's id looks: never a name


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def digest_of(content: bytes) -> str:
    """The digest by which registries know `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def matches(digest: str, content: bytes) -> bool:
    """Whether `content` is what `digest` (of a registered algorithm) names."""
    algorithm, _, value = digest.partition(":")
    return hashlib.new(algorithm, content).hexdigest() == value


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """Where images of one name are. `registry` has a port where one was stated; `path` has no tag and no digest."""

    registry: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "Repository":
        """Raises ImageRefused, also where there is a tag or digest."""
        found = Reference.parse(text)
        if found.tag or found.digest:
            raise ImageRefused(f"{_shown(text)} is a reference, not a repository", hint="leave out the tag and digest")
        return found.repository

    @property
    def host(self) -> str:
        """The registry's name or address without its port and brackets."""
        match = _REGISTRY.fullmatch(self.registry)
        return (match["name"] or match["six"]) if match else self.registry

    @property
    def loopback(self) -> bool:
        """Whether the registry is on this machine for certain, whoever answers for names."""
        if self.host == LOOPBACK_NAME:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def at(self, *, tag: str = "", digest: str = "") -> "Reference":
        return Reference(self, tag, digest)

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An image: `tag` and `digest` are "" where not stated."""

    repository: Repository
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """What people write, made whole. Raises ImageRefused with a sentence that says which part is wrong."""
        if len(text) > _LONGEST:
            raise _refused(text, f"it has {len(text):,} characters")
        return _reference(text)

    @property
    def name(self) -> str:
        """By what a registry finds the manifest: the digest where there is one."""
        return self.digest or self.tag or "latest"

    def pinned(self, digest: str) -> "Reference":
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{'@' if self.digest else ''}{self.digest}"


@lru_cache(maxsize=4096)  # the same few hundred, in every pass
def _reference(text: str) -> Reference:
    rest, _, digest = text.partition("@")
    if "@" in text and not is_digest(digest):
        raise _refused(text, f"{_shown(digest)} is not a digest", "a digest is sha256: and 64 hexadecimal digits")
    last = rest.rpartition("/")[2]
    tag = ""
    if ":" in last and not last.startswith("["):  # of `[::1]:5000` nothing is a tag
        tag = last.rpartition(":")[2]
        rest = rest[: -len(tag) - 1] if tag else rest
        if not is_tag(tag):
            raise _refused(
                text, f"{_shown(tag)} is not a tag", "letters, digits, dots, dashes, underscores; at most 128"
            )
    return Reference(_repository(text, rest), tag, digest)


def _repository(text: str, rest: str) -> Repository:
    first, slash, path = rest.partition("/")
    if slash and ("." in first or ":" in first or first == LOOPBACK_NAME or first != first.lower()):
        registry = HUB if first in ("index.docker.io", "registry-1.docker.io") else first
    else:
        registry, path = HUB, rest
    if _IDENTIFIER.fullmatch(rest):
        raise _refused(text, "64 hexadecimal digits are an image's id, not its name")
    _check_registry(text, registry)
    if not _PATH.fullmatch(path):
        hint = "names are lower case" if path != path.lower() else "letters, digits and single separators between them"
        raise _refused(text, f"{_shown(path)} is not the path of a repository", hint)
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    if len(registry) + 1 + len(path) > MAX_NAME:
        raise _refused(text, f"the name has more than {MAX_NAME} characters")
    return Repository(registry, path)


def _check_registry(text: str, registry: str) -> None:
    match = _REGISTRY.fullmatch(registry)
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise _refused(text, f"{_shown(registry)} is not a registry's name or address")
    if match["six"]:
        try:
            ipaddress.IPv6Address(match["six"])
        except ValueError:
            raise _refused(text, f"{_shown(registry)} is not an IPv6 address") from None


def _refused(text: str, why: str, hint: str = "") -> ImageRefused:
    return ImageRefused(f"{_shown(text)} is not a reference to an image", why=why, hint=hint)


def _shown(text: str) -> str:
    """What a stranger wrote, on one line and not endless."""
    return ascii(text if len(text) <= 100 else text[:100] + "…")
