"""What a team wrote, typed. The JSON Schemas under schemas/ are the authority; these are their shapes.

A field that was not stated is None or empty, never filled in here. Parts that Kubernetes defines (a probe, a volume
source, a security context) stay JSON as they were written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.image import Build, Follow
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.problem import Problem
from reconciler.model.review_rules import ReviewRules
from reconciler.model.rules import IgnoreRule
from reconciler.model.snapshot import Revision

GROUP = "reconciler.dev"
API_VERSION = "reconciler.dev/v1"

JSON = Any
Object = Mapping[str, Any]


class _Spec(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class ImageSpec(_Spec, frozen=True):
    """An image by repository and exactly one of: a tag, a digest (`sha256:…`), what to follow, what to build."""

    repository: str
    tag: str | None = None
    digest: str | None = None
    follow: Follow | None = None
    build: Build | None = None


class Expose(_Spec, frozen=True):
    """A port of the Service, and a rule of the Ingress where there is a host."""

    port: int
    target_port: int | str | None = None
    name: str | None = None
    protocol: str | None = None
    host: str | None = None
    path: str | None = None
    tls: str | None = None
    class_name: str | None = None
    annotations: dict[str, str] = {}


class Rollout(_Spec, frozen=True):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    progress_deadline_seconds: int | None = None


class Placement(_Spec, frozen=True):
    """`pool`, `zones` and `node_selector` are required of a node; `spread` ("zone", "node") is a wish. `shares` (of a
    Deployment, instead of `pool`) are percentages by pool: "30%"."""

    pool: str | None = None
    shares: dict[str, str] = {}
    zones: tuple[str, ...] = ()
    spread: str | None = None
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, JSON], ...] = ()
    priority_class_name: str | None = None


class _Workload(_Spec, frozen=True):
    """The container fields that a Deployment and a Task share."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    ports: tuple[dict[str, JSON], ...] = ()
    env: dict[str, JSON] = {}  # a literal, or a Kubernetes `valueFrom` body: {secretKeyRef: {…}}
    env_from: tuple[dict[str, JSON], ...] = ()
    files: dict[str, str] = {}  # mount path → file or folder in the repository, relative to the document
    volumes: tuple[dict[str, JSON], ...] = ()
    working_dir: str | None = None
    readiness_probe: dict[str, JSON] | None = None
    liveness_probe: dict[str, JSON] | None = None
    startup_probe: dict[str, JSON] | None = None
    init_containers: tuple[dict[str, JSON], ...] = ()
    sidecars: tuple[dict[str, JSON], ...] = ()
    service_account_name: str | None = None
    image_pull_secrets: tuple[dict[str, JSON], ...] = ()
    security_context: dict[str, JSON] | None = None  # the container's
    pod_security_context: dict[str, JSON] | None = None
    termination_grace_period_seconds: int | None = None
    runtime_class_name: str | None = None
    resources: dict[str, JSON] | None = None
    placement: Placement | None = None
    planner: PlannerSettings | None = None  # over what the source's repository says
    depends_on: tuple[str, ...] = ()
    template: dict[str, JSON] | None = None  # merged into the pod template as server-side apply would merge it


class Scale(_Spec, frozen=True):
    """Between `min` and `max` pods, by one of two: `target`, by resource ("cpu", "memory"): "65%" of the requests, or a
    quantity; or `query` (PromQL), of whose value each pod carries `per_replica`. Only then may `min` be 0.

    With a `service_time` (a duration) the query counts requests a second, of which a pod serves `concurrency` at once:
    at most `waiting` of them ("5%") are to wait longer than `max_wait` (a duration). Either or both are stated."""

    max: int
    target: dict[str, str] = {}
    min: int = 1
    query: str | None = None
    per_replica: float | None = None
    service_time: str | None = None
    concurrency: int = 1
    waiting: str = "5%"
    max_wait: str = "0s"


class DeploymentSpec(_Workload, frozen=True):
    """`replicas` and `scale` are never both stated."""

    replicas: int | None = None
    scale: Scale | None = None
    expose: tuple[Expose, ...] = ()
    rollout: Rollout | None = None


class Keep(_Spec, frozen=True):
    succeeded: int = 3
    failed: int = 5


class TaskSpec(_Workload, frozen=True):
    """Runs to completion: `run` is "onChange" (a Job for each new hash) or "schedule" (a CronJob)."""

    run: str = "onChange"
    schedule: str | None = None
    time_zone: str | None = None
    concurrency_policy: str | None = None
    parallelism: int | None = None
    completions: int | None = None
    retries: int | None = None
    timeout: str | None = None  # a duration: "90s", "10m", "1h30m"
    keep: Keep | None = None
    suspend: bool | None = None


class ObjectSpec(msgspec.Struct, frozen=True):
    """Any other Kubernetes object, as it stands (nulls removed, namespace filled in, a List taken apart)."""

    object: dict[str, JSON]


Spec = ImageSpec | DeploymentSpec | TaskSpec | ObjectSpec


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document stands. `text_hash` covers the document's own text only (rule 7), 16 hexadecimal digits."""

    path: str
    line: int  # of the document's first line, from 1
    text_hash: str
    overlays: tuple[str, ...] = ()  # paths of documents merged over it, in order

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class MountedFile:
    """A repository file that a workload mounts."""

    mount: str  # the directory (or, for a single file, its directory) in the container
    name: str  # the key in the ConfigMap
    blob: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """One document that passed validation, after its overlays were merged.

    `digest` hashes everything that rendering reads of it (spec, labels, annotations, file contents): equal digests
    render equally, so it is the key of every cache downstream.
    """

    identity: Identity
    origin: Origin
    spec: Spec
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    digest: str
    files: tuple[MountedFile, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether its kind is one of the product's own."""
        return self.identity.group == GROUP


@dataclass(frozen=True, slots=True)
class Specs:
    """All documents of one revision, and everything that is wrong with it.

    `quarantined` are identities whose document is invalid: what they last made is kept. `unknown` are files in which a
    document's identity could not be told: while there is one, the source prunes nothing (rule 10).
    """

    source: str
    revision: Revision
    documents: Mapping[Identity, Document]
    problems: tuple[Problem, ...] = ()
    quarantined: frozenset[Identity] = frozenset()
    unknown: tuple[str, ...] = ()
    parsed: int = 0  # blobs that were parsed to make this value; the rest came from the cache
    rules: tuple[IgnoreRule, ...] = ()  # of the repository's reconciler.yaml
    ruled: bool = True  # whether the rules are known: a broken reconciler.yaml may have said more
    planner: PlannerSettings | None = None  # what the reconciler.yaml would like of the planner
    review: ReviewRules | None = None  # what it says to reviews
