"""What rendering makes: complete Kubernetes objects, each with where it came from and how it is to be treated."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from reconciler.kube.names import LAST_APPLIED, GroupVersionKind, Identity
from reconciler.model.problem import Problem
from reconciler.model.shares import Portion
from reconciler.model.spec import Origin

MANAGER: Final = "reconciler"  # our field manager
PLANNER_MANAGER: Final = "reconciler-planner"  # holds fields that Git no longer states (rule 6)

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_SOURCE: Final = "reconciler.dev/source"
LABEL_VARIANT: Final = "reconciler.dev/variant"
LABEL_TASK: Final = "reconciler.dev/task"
ANNOTATION_ID: Final = "reconciler.dev/id"
ANNOTATION_ORIGIN: Final = "reconciler.dev/origin"  # "<path>#<text hash>"
ANNOTATION_SPEC: Final = "reconciler.dev/spec"  # the spec document that made it: "Deployment/shop/web"
ANNOTATION_PRUNE: Final = "reconciler.dev/prune"
ANNOTATION_DRIFT: Final = "reconciler.dev/drift"
ANNOTATION_IGNORE: Final = "reconciler.dev/ignore"
ANNOTATION_REPLACE: Final = "reconciler.dev/replace"
ANNOTATION_ADOPT: Final = "reconciler.dev/adopt"
ANNOTATION_DEPENDS_ON: Final = "reconciler.dev/depends-on"
ANNOTATION_PLANNED: Final = "reconciler.dev/planned"  # what a plan put into the pod template (rule 19)
TRAILER_ALLOW_PRUNE: Final = "Reconciler-Allow-Prune"  # of a commit
ANNOTATIONS_OF_CONTROLLERS: Final = frozenset(
    {
        LAST_APPLIED,
        "autoscaling.alpha.kubernetes.io/conditions",
        "autoscaling.alpha.kubernetes.io/current-metrics",
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "endpoints.kubernetes.io/last-change-trigger-time",
    }
)  # what a tool or a controller keeps for itself: in Git it is an export's leftover, and applying it never settles


class DriftMode(StrEnum):
    HEAL = "heal"
    ALERT = "alert"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Policy:
    """How one object is treated; from its annotations and its source's settings."""

    prune: bool = True
    replace: bool = False
    adopt: bool = False
    drift: DriftMode = DriftMode.HEAL
    ignore: tuple[str, ...] = ()  # JSON pointers that are not compared
    managers: tuple[str, ...] = ()  # globs of field managers: what they own is not compared


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns what is rendered: stamped into every object (rule 1)."""

    install: str  # the install uid or the configured name
    source: str

    def id_of(self, identity: Identity) -> str:
        """The value of `reconciler.dev/id` for an object: `<install>/<source>/<group>/<kind>/<namespace>/<name>`."""
        return "/".join((self.install, self.source, *identity))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object to apply: exactly the fields that Git states (and a Plan filled in), ownership stamped.

    `depends_on` are objects that it refers to (a mounted ConfigMap, its Namespace): they must be applied first and
    usable. `after` are objects that must be ready first, because somebody said so (dependsOn). `digest` is a hash of
    `object`'s canonical JSON without the origin annotation's text hash: equal digests need no request.
    `once` marks a Job named by its hash: it is created where it does not exist and never changed after, and when
    finished is exempt from prune and drift. `suspended` marks a `once` Job that must not be started (rule 16): it is
    shown as suspended and not sent; one of that name that runs already is left alone. `planned` are JSON pointers to
    fields that nobody stated and a planner filled in: who else sets one has it (rule 6). `portion` is which part of its
    document's pods it has, None where all.
    """

    identity: Identity
    gvk: GroupVersionKind
    object: Mapping[str, Any]
    origin: Origin
    spec: Identity  # the document that made it
    depends_on: tuple[Identity, ...]
    policy: Policy
    digest: str
    once: bool = False
    after: tuple[Identity, ...] = ()
    suspended: bool = False
    planned: tuple[str, ...] = ()
    portion: Portion | None = None

    @property
    def planned_as(self) -> Identity:
        """Under which identity a planner knows its pods."""
        return self.spec if self.portion is None else self.portion.identity


@dataclass(frozen=True, slots=True)
class Manifests:
    """All objects of one revision.

    `unrendered` are documents that passed validation and could not be rendered safely; `problems` say why. They are
    treated like `Specs.quarantined`: what they last made is kept (rule 10).
    """

    items: Mapping[Identity, Manifest]
    problems: tuple[Problem, ...] = ()
    rendered: int = 0  # documents rendered anew; the rest came from the cache
    unrendered: frozenset[Identity] = frozenset()
