"""What is stated about images and their registries, and what becomes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from reconciler.kube.names import Identity

LOCK_FILE: Final = "images.lock.yaml"  # beside the documents of the Images that it speaks of


class _Stated(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class Build(_Stated, frozen=True):
    """What to build, when its inputs change. `context` is a folder of the repository, relative to the document."""

    context: str
    containerfile: str = "Containerfile"  # below the context
    target: str = ""  # the stage of the file; "" is the last
    args: dict[str, str] = {}
    platforms: tuple[str, ...] = ()  # "linux/amd64"; empty is the builder's own


class Order(StrEnum):
    NUMERIC = "numeric"
    ALPHABETICAL = "alphabetical"


class Follow(_Stated, frozen=True):
    """Which tag of a repository is meant: exactly one of `semver`, `tag` and `pattern` is stated."""

    semver: str | None = None  # a range; the highest version in it
    tag: str | None = None  # this tag, whose digest may move
    pattern: str | None = None  # a regular expression for the whole tag; what its first group (or all) says decides
    order: Order | None = None  # of what the pattern found; numeric where not stated


class RegistryHost(_Stated, frozen=True):
    """How one registry is reached. `host` is as references have it, with its port."""

    host: str
    ca_file: str | None = None  # trusted beside the system's authorities
    plain_http: bool | None = None  # not stated: only for a registry on loopback that has no caFile


class Registries(_Stated, frozen=True):
    """What the daemon knows of registries. Secrets by file reference only."""

    config_file: str | None = None  # a docker config.json (or podman auth.json), read anew when it changes
    helpers: tuple[str, ...] = ()  # credential helpers that may run: "ecr-login" is docker-credential-ecr-login
    hosts: tuple[RegistryHost, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolved:
    """An image, pinned. `reference` has the digest, and the tag that led to it where one did."""

    reference: str
    repository: str
    tag: str
    digest: str


class Unknown(NamedTuple):
    """Why it cannot be told yet which digest an Image means. Whoever names it stays as it is until then."""

    reason: str
    hint: str = ""
    fault: bool = True  # False: it only takes its time


Pinned = Mapping[Identity, str | Unknown]
"""What each Image document means: the reference that a kubelet pulls."""


class Wanted(NamedTuple):
    """An Image whose tag is to be followed."""

    identity: Identity
    repository: str
    follow: Follow


class TreeFile(NamedTuple):
    """A name in the tree of a commit, symbolic links too. `path` is relative to the repository's root, with "/"."""

    path: str
    mode: str  # as Git says it: "100644", "100755", "120000" for a symbolic link, "160000" for a submodule
    blob: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Built:
    """A build that is done, or that did not have to be."""

    repository: str
    tag: str
    digest: str
    built: bool  # False: the registry had it
    finished: datetime
    seconds: float = 0.0


class Commit(NamedTuple):
    """What is to be committed: whole files by path, and the message."""

    files: Mapping[str, bytes]
    message: str


Edit = Callable[[Mapping[str, bytes | None]], Commit | None]
"""From the contents of files at a branch's tip (None: not there) to a commit; None when there is nothing to change."""


class JobTool(StrEnum):
    BUILDKIT = "buildkit"
    BUILDAH = "buildah"


class JobSettings(_Stated, frozen=True):
    """How builds run as Jobs in the cluster."""

    fetch_image: str  # of this product: it brings the context
    tool: JobTool = JobTool.BUILDKIT
    tool_image: str = "docker.io/moby/buildkit:rootless"
    namespace: str = "reconciler-builds"
    service_account: str | None = None
    credentials_secret: str | None = None  # of type kubernetes.io/dockerconfigjson
    ca_config_map: str | None = None  # whose key ca.crt holds the registries' authorities
    cpu: str = "2"
    memory: str = "2Gi"
    keep: float = 3600.0  # seconds for which a Job that failed is kept
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str], ...] = ()
