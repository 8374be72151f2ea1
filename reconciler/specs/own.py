"""What is wrong with a document of one of our own kinds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from reconciler.kube.names import GroupVersionKind
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.problem import Severity
from reconciler.model.reference import ImageReference
from reconciler.model.spec import API_VERSION, DeploymentSpec, ImageSpec, TaskSpec
from reconciler.semver import Range
from reconciler.specs.finding import Finding, did_you_mean, shown
from reconciler.specs.foreign import misfits, path_of
from reconciler.specs.promql import unbalanced
from reconciler.specs.refused import would_be_refused
from reconciler.specs.schemas import KINDS, schema, structure
from reconciler.specs.shares import sharing
from reconciler.specs.words import refusals
from reconciler.tag_pattern import compiled

JSON = Any

_TYPES: Final[Mapping[str, type[DeploymentSpec | ImageSpec | TaskSpec]]] = {
    "Deployment": DeploymentSpec,
    "Image": ImageSpec,
    "Task": TaskSpec,
}
_CRON_NAME: Final = 52  # Kubernetes adds 11 characters for each Job, and a Job's name is a label


def unknown_kind(gvk: GroupVersionKind) -> Iterator[Finding]:
    """For a version or kind of `reconciler.dev` that there is none of."""
    if gvk.api_version != API_VERSION:
        hint = f"this release knows {API_VERSION}"
        yield Finding("unknown-version", ("apiVersion",), f"{shown(gvk.api_version)} is not a known version", hint)
    if gvk.kind not in KINDS:
        hint = did_you_mean(gvk.kind, KINDS) or f"known are {', '.join(KINDS)}"
        yield Finding("unknown-kind", ("kind",), f"{shown(gvk.kind)} is not a kind of {gvk.group}", hint)


def examined(value: dict[str, JSON], kind: str) -> list[Finding]:
    """Everything that is wrong with a document of a known kind and version."""
    found = refusals(value, kind)
    if isinstance(value.get("spec"), dict):
        refused = {finding.path for finding in found}
        found += [
            finding for finding in misfits(_kubernetes_view(value), structure(kind)) if finding.path not in refused
        ]
    return found if any(f.severity is Severity.ERROR for f in found) else [*found, *_beyond(value, kind)]


def _beyond(value: dict[str, JSON], kind: str) -> list[Finding]:
    """What a schema cannot say of a document that it accepts."""
    spec = value["spec"]
    found = _untypable(spec, kind)
    if kind == "Image":
        found += _repository(spec["repository"])
        found += _followed(spec)
    else:
        found += _volumes(spec.get("volumes", ()))
        found += sharing(value["metadata"]["name"], spec, kind)
        found += would_be_refused(spec)
    if kind == "Deployment":
        found += _scaling(spec)
    if kind == "Deployment" and spec.get("expose") and value["metadata"]["name"][0].isdigit():
        message = "a Deployment that is exposed has a name that begins with a letter, for its Service"
        found.append(Finding("bad-name", ("metadata", "name"), message))
    if spec.get("run") == "schedule" and spec.get("planner"):
        message = "a scheduled task is not planned, for its pods come and go"
        found.append(Finding("bad-value", ("spec", "planner"), message, "leave it out", key=True))
    if spec.get("run") == "schedule" and len(value["metadata"]["name"]) > _CRON_NAME:
        message = f"the name of a scheduled task has at most {_CRON_NAME} characters"
        found.append(Finding("bad-name", ("metadata", "name"), message))
    return found


def _scaling(spec: JSON) -> Iterator[Finding]:
    scale = spec.get("scale")
    if scale is None:
        return
    path = ("spec", "scale")
    if "replicas" in spec:
        message = "replicas and scale are both stated"
        yield Finding("replicas-and-scale", path, message, "state one: a number, or how it follows the load")
    if scale.get("min", 1) > scale["max"]:
        yield Finding("min-over-max", (*path, "min"), f"min is {scale['min']}, max is {scale['max']}")
    if scale.get("min") == 0 and "query" not in scale:
        message = "an autoscaler of Kubernetes keeps one pod at least, for it looks at what pods use"
        yield Finding("bad-value", (*path, "min"), message, "state 1, or scale by a query")
    if wrong := unbalanced(scale.get("query", "")):
        yield Finding("bad-value", (*path, "query"), f"this is no PromQL: {wrong}")


def unrequested(spec: JSON, planner: PlannerConfig | None) -> Iterator[Finding]:
    """Percentages of requests that neither a valid spec of a Deployment states nor `planner` fills in (None: it is not
    known, or there is none)."""
    resources = spec.get("resources") or {}
    known = {*(resources.get("requests") or {}), *(resources.get("limits") or {})}  # a limit is a request too
    if planner is not None:
        known |= {"cpu", "memory"} if planner.usage is not None else planner.defaults.requests.keys()
    for resource, target in sorted((spec.get("scale") or {}).get("target", {}).items()):
        if target.endswith("%") and resource not in known:
            message = f"{target} of what? The spec states no request of {resource}"
            filled = "" if planner is not None else ", and without a planner that fills it in,"
            hint = f"state resources.requests.{resource}; without it{filled} the autoscaler does nothing"
            yield Finding("no-request", ("spec", "scale", "target", resource), message, hint, severity=Severity.WARNING)


def _kubernetes_view(value: dict[str, JSON]) -> dict[str, JSON]:
    """The document without plain environment values, which are ours; what is left has Kubernetes' types."""
    env = value["spec"].get("env")
    if not isinstance(env, dict):
        return value
    sources = {name: source for name, source in env.items() if isinstance(source, dict)}
    return {**value, "spec": {**value["spec"], "env": sources}}


def typed(spec: JSON, kind: str) -> DeploymentSpec | ImageSpec | TaskSpec:
    """A valid spec as its struct."""
    return msgspec.convert(spec, _TYPES[kind])


def _untypable(spec: JSON, kind: str) -> list[Finding]:
    """To JSON Schema 3.0 is an integer, to everybody else it is not."""
    try:
        typed(spec, kind)
    except msgspec.ValidationError as error:
        path, _ = path_of(spec, str(error).rpartition("`$.")[2].rstrip("`"))
        return [Finding("wrong-type", ("spec", *path), "this is not an integer", "write it without a point")]
    return []


def _repository(repository: str) -> list[Finding]:
    path = ("spec", "repository")
    try:
        reference = ImageReference.parse(repository)
    except ValueError as error:
        return [Finding("bad-image", path, f"{shown(repository)} is not a repository: {error}")]
    if reference.tag or reference.digest:
        part = "tag" if reference.tag else "digest"
        return [Finding("bad-image", path, f"a repository has no {part}", f"state it as {part} beside it")]
    return []


def _followed(spec: JSON) -> Iterator[Finding]:
    """A range of versions, or a pattern for tags, that is none."""
    readers: dict[str, Callable[[str], object]] = {"semver": Range.parse, "pattern": compiled}
    for field, text in (spec.get("follow") or {}).items():
        try:
            readers.get(field, str)(text)
        except ValueError as error:
            yield Finding("bad-value", ("spec", "follow", field), f"{shown(text)} cannot be followed: {error}")


def _volumes(volumes: list[dict[str, JSON]]) -> list[Finding]:
    """An entry has one source at most; one without a source mounts an earlier volume once more."""
    found, named = [], set()
    own = schema("common")["$defs"]["volumes"]["items"]["properties"].keys() - {"claim"}
    for at, volume in enumerate(volumes):
        sources = sorted(volume.keys() - own)
        path = ("spec", "volumes", at)
        if len(sources) > 1:
            found.append(Finding("bad-value", path, f"a volume has one source, not {' and '.join(sources)}"))
        if not sources and volume["name"] not in named:
            message = f"the volume {shown(volume['name'])} has no source"
            found.append(Finding("bad-value", path, message, "such as emptyDir: {} or claim: {size: 10Gi}"))
        if sources and volume["name"] in named:
            found.append(Finding("bad-value", path, f"the volume {shown(volume['name'])} is described twice"))
        named.add(volume["name"])
    return found
