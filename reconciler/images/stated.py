"""What a commit states about Images, and what may be said of one without asking anybody. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import ImageAwaited, ImageError, ImageRefused
from reconciler.images import lock
from reconciler.images.follow import Selection
from reconciler.images.inputs import PREFIX, Tree
from reconciler.images.lock import Locked, Locks
from reconciler.images.reference import Reference, Repository
from reconciler.kube.names import Identity
from reconciler.model.image import Build, Follow, Resolved
from reconciler.model.snapshot import Blobs


@dataclass(frozen=True, slots=True)
class Stated:
    """An Image document. One of `tag`, `digest`, `follow` and `build` is stated."""

    identity: Identity
    document: str  # its path in the repository
    repository: str
    tag: str = ""
    digest: str = ""
    follow: Follow | None = None
    build: Build | None = None


class Origin(StrEnum):
    STATED = "stated"  # the document has the digest itself
    LOCK = "lock"
    REGISTRY = "registry"
    BUILD = "build"
    BEFORE = "before"  # nothing newer can be told


@dataclass(frozen=True, slots=True)
class Pin:
    """A digest to use. `problem` says why it is that of before."""

    reference: Reference
    origin: Origin
    problem: ImageError | None = None


Pins = Mapping[Identity, Pin | ImageError]
"""An ImageError where there is no digest at all, not even one of before."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a source, as this room reads it."""

    source: str
    tree: Tree
    blobs: Blobs


def found_for(
    one: Stated, answer: Resolved | ImageError | None, pin: Pin | ImageError | None
) -> tuple[Locked, str] | None:
    """What a lock file should say of an Image, and why; None where it has no business in one."""
    if isinstance(answer, ImageError):
        raise answer
    if answer is not None:
        return Locked(answer.repository, answer.tag, answer.digest), Selection.of(follow_of(one)).why
    if isinstance(pin, Pin) and pin.origin is Origin.BUILD:
        locked = Locked(str(pin.reference.repository), pin.reference.tag, pin.reference.digest)
        return locked, "was built from its inputs"
    return None


def by_tag(one: Stated) -> bool:
    """Whether a registry, or a lock, says which digest is meant."""
    return one.follow is not None or bool(one.tag)


def follow_of(one: Stated) -> Follow:
    return one.follow or Follow(tag=one.tag)


Question = tuple[str, str | None, str | None, str | None, str | None]


def question_of(one: Stated) -> Question:
    """What is asked for an Image: those who ask the same get the same answer."""
    follow = follow_of(one)
    return one.repository, follow.semver, follow.tag, follow.pattern, follow.order


def locked_for(one: Stated, locks: Locks) -> Locked | None:
    """The lock's entry for an Image that is found by its tag, where it fits. Raises ImageRefused."""
    locked = locks.get(lock.key_of(one.identity))
    if locked is None or not locked.fits(Repository.parse(one.repository)):
        return None
    return locked if not locked.tag or Selection.of(follow_of(one)).accepts(locked.tag) else None


def kept(stated: Iterable[Stated], pins: Pins, before: Mapping[Identity, Reference]) -> Pins:
    """`pins`, and for those of which nothing is known what was in use `before`, where it is of the same repository."""
    found = dict(pins)
    for one in stated:
        answer, reference = pins[one.identity], before.get(one.identity)
        if isinstance(answer, ImageError) and reference is not None and str(reference.repository) == whole_name(one):
            found[one.identity] = Pin(reference, Origin.BEFORE, answer)
    return found


def recovered(
    stated: Iterable[Stated], running: Iterable[Reference], *, builds: bool = False
) -> Mapping[Identity, Reference]:
    """What Images meant when they were last applied, from what workloads run: where just one reference fits.

    With `builds` also of those that are built, whatever their inputs were then.
    """
    pinned: dict[str, set[Reference]] = {}
    for reference in running:
        pinned.setdefault(str(reference.repository), set()).add(reference)
    found: dict[Identity, Reference] = {}
    for one in stated:
        fit = {each for each in pinned.get(whole_name(one), ()) if may_mean(one, each, builds=builds)}
        if len(fit) == 1:
            found[one.identity] = fit.pop()
    return found


def may_mean(one: Stated, reference: Reference, *, builds: bool = False) -> bool:
    """Whether `reference` is what an Image might mean, by its repository and tag."""
    if str(reference.repository) != whole_name(one) or not reference.tag or not reference.digest:
        return False
    if one.build is not None:
        return builds and reference.tag.startswith(PREFIX)
    try:
        return by_tag(one) and Selection.of(follow_of(one)).accepts(reference.tag)
    except ImageRefused:
        return False


def awaited(one: Stated) -> ImageAwaited:
    what = "the image is being built" if one.build is not None else "the registry has not answered yet"
    return ImageAwaited(what, where=str(one.identity))


def whole_name(one: Stated) -> str:
    """The whole name of an Image's repository, "" where it cannot be read."""
    try:
        return str(Repository.parse(one.repository))
    except ImageRefused:
        return ""
