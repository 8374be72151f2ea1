"""How one thing names another: an image by its reference, a document by kind and name."""

import functools
import re
from typing import Final, NamedTuple

from reconciler.kube.names import Identity

# The grammar of the OCI distribution specification, https://github.com/opencontainers/distribution-spec, and of its
# reference implementation for the domain.
_LABEL: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?:(?P<domain>{_HOST}(?::[0-9]+)?)/)??(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_DIGEST_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_NAME_LENGTH: Final = 255
_LENGTH: Final = _NAME_LENGTH + 1 + 128 + 1 + 256  # a name, a tag and a generous digest


class ImageReference(NamedTuple):
    """`registry.example.com:5000/shop/web:1.4@sha256:…` in its parts; a part that is not stated is ""."""

    domain: str
    path: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Raises ValueError, its message a clause that says what is wrong with `text`."""
        return _parse_image(text)

    @property
    def repository(self) -> str:
        """Without tag and digest, as it was written."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def bare(self) -> bool:
        """Whether it is a single word, which may as well be the name of an Image document."""
        return not (self.domain or self.tag or self.digest or "/" in self.path)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


@functools.lru_cache(maxsize=8192)
def _parse_image(text: str) -> ImageReference:
    if len(text) > _LENGTH:
        raise ValueError(f"it is longer than {_LENGTH} characters")
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(_what_is_wrong(text))
    domain, path, tag, digest = (match[part] or "" for part in ("domain", "path", "tag", "digest"))
    first, slash, rest = path.partition("/")
    if not domain and slash and ("." in first or first == "localhost"):
        domain, path = first, rest
    elif domain and not (set(domain) & set(".:") or domain == "localhost" or domain != domain.lower()):
        domain, path = "", f"{domain}/{path}"
    if len(domain) + len(path) + bool(domain) > _NAME_LENGTH:
        raise ValueError(f"the name is longer than {_NAME_LENGTH} characters")
    algorithm, _, value = digest.partition(":")
    if len(value) != _DIGEST_LENGTHS.get(algorithm, len(value)):
        raise ValueError(f"a {algorithm} digest has {_DIGEST_LENGTHS[algorithm]} hexadecimal digits, not {len(value)}")
    return ImageReference(domain, path, tag, digest)


def _what_is_wrong(text: str) -> str:
    if not text:
        return "it is empty"
    if text != text.strip() or any(c.isspace() for c in text):
        return "it contains white space"
    if "://" in text:
        return "it must not begin with a scheme such as https://"
    name, at, digest = text.partition("@")
    if at and _REFERENCE.fullmatch(name):
        return f'"{digest[:80]}" is not a digest such as sha256: and 64 hexadecimal digits'
    if text != text.lower() and _REFERENCE.fullmatch(text.lower()):
        return "a repository has no capital letters"
    return "it is not of the form registry/repository:tag@digest"


class ObjectReference(NamedTuple):
    """`Kind/name` or `Kind/namespace/name`; `Kind.group` where the kind alone is not clear. Not stated is ""."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "ObjectReference":
        """Raises ValueError when `text` has not two or three parts."""
        kind, *rest = text.split("/")
        if not kind or len(rest) not in (1, 2) or not all(rest):
            raise ValueError("it is not of the form Kind/name or Kind/namespace/name")
        kind, _, group = kind.partition(".")
        return cls(group, kind, rest[0] if len(rest) == 2 else "", rest[-1])

    def candidates(self, namespace: str, groups: tuple[str, ...]) -> list[Identity]:
        """What it may mean, seen from `namespace`, best first; `groups` are those that have the kind, ours first.

        The same namespace is meant where none is stated, or a kind that has none.
        """
        meant = (self.group,) if self.group else groups
        spaces = (self.namespace,) if self.namespace else (namespace, "")
        return [Identity(group, self.kind, space, self.name) for group in meant for space in spaces]


def references(annotation: str) -> list[str]:
    """The references that an annotation lists, separated by commas, spaces or line ends."""
    return annotation.replace(",", " ").split()
