"""What the daemon does about images: the part of its configuration that says so. schemas/config.json rules."""

from enum import StrEnum

import msgspec

from reconciler.model.image import JobSettings, Registries


class _Config(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class Tags(StrEnum):
    """What a workload gets that names an Image with a `tag`."""

    PIN = "pin"  # the digest that the tag has; nothing before it is known
    AS_STATED = "asStated"  # the tag; lock files do not speak of it then


class BuilderKind(StrEnum):
    BUILDAH = "buildah"  # on the daemon's own host
    JOB = "job"  # in the cluster
    NONE = "none"


class BuildConfig(_Config, frozen=True):
    """How images are built. `job` is for builds in the cluster, which need it."""

    builder: BuilderKind = BuilderKind.BUILDAH
    parallel: int = 2
    timeout: float = 1800.0  # seconds
    disk_bytes: int = 10 * 1024 * 1024 * 1024  # what one build may take on the daemon's host
    job: JobSettings | None = None


class WriteBack(StrEnum):
    """Where a digest goes that was found or built."""

    COMMIT = "commit"  # to the branch itself
    REVIEW = "review"  # to a branch of its own, from which people merge
    OFF = "off"


class WriteBackConfig(_Config, frozen=True):
    """Digests in Git. `branch` is the one for review; commits are signed where there is a key."""

    mode: WriteBack = WriteBack.OFF
    branch: str = "reconciler/images"
    name: str = "reconciler"
    email: str = "reconciler@localhost"
    signing_key_file: str | None = None


class SignatureRule(_Config, frozen=True):
    """Images of repositories that begin with `prefix` need a signature by one of the keys; by none: none."""

    prefix: str
    key_files: tuple[str, ...] = ()


class ImagesConfig(_Config, frozen=True):
    tags: Tags = Tags.PIN
    interval: float = 300.0  # seconds between two looks at the registries, jittered by 10 %
    registries: Registries = Registries()
    build: BuildConfig = BuildConfig()
    write_back: WriteBackConfig = WriteBackConfig()
    signatures: tuple[SignatureRule, ...] = ()
