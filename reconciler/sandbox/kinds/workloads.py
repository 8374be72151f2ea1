"""Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers."""

from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.names import GroupKind
from reconciler.kube.selector import LabelSelector
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks, podspec
from reconciler.sandbox.kinds.storage import validate_claim
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
_STATEFUL_CHANGEABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def _counts(spec: Value, *names: str, causes: Causes) -> None:
    for name in names:
        checks.not_negative(causes, f"spec.{name}", spec.get(name))


def selector_and_template(value: Value, what: str, causes: Causes) -> None:
    """The selector is there, selects something, and selects what the template makes."""
    spec = value["spec"]
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    readable = True
    if selector is None:
        if what != "daemonset":
            causes.required("spec.selector")
        causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.invalid("spec.selector", selector, f"empty selector is invalid for {what}")
    else:
        before = len(causes)
        metadata.selector(selector, "spec.selector", causes)
        readable = len(causes) == before
        if not readable and what != "daemonset":
            causes.invalid("spec.selector", selector, "it cannot be read")
        elif readable and not LabelSelector.of(selector).matches(labels):
            causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if readable or what == "daemonset":
        podspec.validate_template(template, "spec.template", causes)
    elif what == "deployment":
        return
    pod = template.get("spec") or {}
    if pod.get("restartPolicy", "Always") != "Always":
        causes.unsupported("spec.template.spec.restartPolicy", pod["restartPolicy"], ["Always"])
    if "activeDeadlineSeconds" in pod:
        causes.forbidden(
            "spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {what} is not Supported"
        )


def int_or_percent(field: str, value: Any, causes: Causes) -> float:
    """A count, or a share; returns its amount, counting a percent as one."""
    if isinstance(value, str):
        if not (value.endswith("%") and value[:-1].isdigit()):
            causes.invalid(field, value, "a string must be a whole number of percent, as '25%'")
            return 1
        return int(value[:-1])
    if value is not None and value < 0:
        causes.invalid(field, value, checks.NOT_NEGATIVE)
    return value or 0


def _deployment(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    selector_and_template(value, "deployment", causes)
    _counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds", causes=causes)
    strategy = spec["strategy"]
    rolling = strategy.get("rollingUpdate")
    path = "spec.strategy.rollingUpdate"
    if strategy["type"] == "Recreate":
        if rolling is not None:
            causes.forbidden(path, "may not be specified when strategy `type` is 'Recreate'")
    elif strategy["type"] == "RollingUpdate":
        rolling = rolling or {}
        unavailable = int_or_percent(f"{path}.maxUnavailable", rolling.get("maxUnavailable"), causes)
        surge = int_or_percent(f"{path}.maxSurge", rolling.get("maxSurge"), causes)
        if not unavailable and not surge:
            causes.invalid(f"{path}.maxUnavailable", rolling.get("maxUnavailable"), "may not be 0 when `maxSurge` is 0")
        if isinstance(rolling.get("maxUnavailable"), str) and unavailable > 100:
            causes.invalid(f"{path}.maxUnavailable", rolling["maxUnavailable"], "must not be greater than 100%")
    else:
        causes.unsupported("spec.strategy", strategy, ("Recreate", "RollingUpdate"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        causes.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _selector_fixed(new: Value, old: Value, causes: Causes) -> None:
    if new["spec"].get("selector") != old["spec"].get("selector"):
        causes.invalid("spec.selector", new["spec"].get("selector"), IMMUTABLE)


def _counted(new: Value, old: Value, causes: Causes) -> None:
    """The numbers of a workload's status fit together."""
    status, before = new.get("status") or {}, old.get("status") or {}
    parts = ["updatedReplicas", "readyReplicas", "availableReplicas"]
    if new["kind"] == "StatefulSet":
        parts.append("currentReplicas")
    within = (*((name, "replicas") for name in parts), ("availableReplicas", "readyReplicas"))
    others = ("observedGeneration", "replicas", "unavailableReplicas", "terminatingReplicas", "collisionCount")
    checks.counts(causes, status, *others, *parts, within=within)
    if status.get("collisionCount", 0) < before.get("collisionCount", 0):
        causes.invalid("status.collisionCount", status.get("collisionCount", 0), "cannot be decremented")


def _deployment_status(new: Value, old: Value) -> None:
    labels = old["metadata"].get("labels")
    if labels:
        new["metadata"]["labels"] = labels
    else:
        new["metadata"].pop("labels", None)


def _replica_set(value: Value, causes: Causes) -> None:
    selector_and_template(value, "deployment", causes)
    _counts(value["spec"], "replicas", "minReadySeconds", causes=causes)


def _replication_controller(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    if not spec.get("selector"):
        causes.required("spec.selector")
    if "template" not in spec:
        causes.required("spec.template")
    else:
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        if any(labels.get(key) != text for key, text in (spec.get("selector") or {}).items()):
            causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        podspec.validate_template(spec["template"], "spec.template", causes)
    _counts(spec, "replicas", "minReadySeconds", causes=causes)


def _stateful_set(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    pod = (spec.get("template") or {}).get("spec") or {}
    pod = {name: part for name, part in pod.items() if name not in ("hostname", "subdomain")}  # the set gives them
    claims = [claim["metadata"].get("name", "") for claim in spec.get("volumeClaimTemplates") or ()]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(claims)]
    if made:  # claims become volumes of the pods
        others = [v for v in pod.get("volumes") or () if v.get("name") not in claims]
        pod = {**pod, "volumes": [*made, *others]}
    if "template" in spec:
        value = {**value, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}
    selector_and_template(value, "statefulset", causes)
    _counts(spec, "replicas", "minReadySeconds", causes=causes)
    if spec["podManagementPolicy"] not in ("OrderedReady", "Parallel"):
        causes.invalid("spec.podManagementPolicy", spec["podManagementPolicy"], "must be 'OrderedReady' or 'Parallel'")
    strategy = spec["updateStrategy"]
    if strategy["type"] == "OnDelete" and "rollingUpdate" in strategy:
        why = "only allowed for updateStrategy 'RollingUpdate'"
        causes.invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"], why)
    elif strategy["type"] == "RollingUpdate":
        checks.not_negative(
            causes,
            "spec.updateStrategy.rollingUpdate.partition",
            (strategy.get("rollingUpdate") or {}).get("partition"),
        )
    elif strategy["type"] != "OnDelete":
        causes.invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'")
    checks.not_negative(causes, "spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    for name, policy in spec["persistentVolumeClaimRetentionPolicy"].items():
        checks.supported(causes, f"spec.persistentVolumeClaimRetentionPolicy.{name}", policy, ("Delete", "Retain"))


def _drop_unavailable(value: Value) -> None:
    """How many pods of a set may be missing at once is not switched on."""
    ((value["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).pop("maxUnavailable", None)


def _stateful_set_create(value: Value, causes: Causes) -> None:
    if name := value["spec"].get("serviceName"):
        causes.words("spec.serviceName", name, naming.dns_label(name))
    for index, claim in enumerate(value["spec"].get("volumeClaimTemplates") or ()):
        validate_claim(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec", causes)


def _stateful_set_update(new: Value, old: Value, causes: Causes) -> None:
    after = {name: part for name, part in new["spec"].items() if name not in _STATEFUL_CHANGEABLE}
    before = {name: part for name, part in old["spec"].items() if name not in _STATEFUL_CHANGEABLE}
    if after != before:
        names = [f"'{name}'" for name in _STATEFUL_CHANGEABLE]
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        causes.forbidden("spec", f"updates to statefulset spec for fields other than {listed} are forbidden")


def _daemon_set(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    selector_and_template(value, "daemonset", causes)
    _counts(spec, "minReadySeconds", "revisionHistoryLimit", causes=causes)
    strategy = spec["updateStrategy"]
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        path = "spec.updateStrategy.rollingUpdate"
        unavailable = int_or_percent(f"{path}.maxUnavailable", rolling.get("maxUnavailable"), causes)
        surge = int_or_percent(f"{path}.maxSurge", rolling.get("maxSurge"), causes)
        if unavailable and surge:
            causes.invalid(f"{path}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
        elif not unavailable and not surge:
            causes.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")
    elif strategy["type"] != "OnDelete":
        causes.unsupported("spec.updateStrategy", strategy, ("OnDelete", "RollingUpdate"))


def _generation(value: Value) -> str:
    return str((value["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "0"))


def _count_template(value: Value, number: int) -> None:
    annotations = value["metadata"].get("annotations") or {}
    value["metadata"]["annotations"] = {**annotations, TEMPLATE_GENERATION: str(number)}


def _daemon_set_before_create(value: Value, _core: "Core") -> None:
    stated = _generation(value)
    _count_template(value, max(1, int(stated)) if stated.isdigit() else 1)


def _daemon_set_before_update(value: Value, old: Value, _core: "Core") -> None:
    before = int(_generation(old)) if _generation(old).isdigit() else 0
    _count_template(value, before + (value["spec"].get("template") != old["spec"].get("template")))


RULES: Final = {
    GroupKind("apps", "Deployment"): Rules(
        generation=True,
        generation_also=("annotations",),
        before_status=_deployment_status,
        validate_status=_counted,
        validate=_deployment,
        validate_update=_selector_fixed,
    ),
    GroupKind("apps", "ReplicaSet"): Rules(generation=True, validate=_replica_set, validate_update=_selector_fixed),
    GroupKind("apps", "StatefulSet"): Rules(
        generation=True,
        name=naming.dns_label,
        before_create=lambda value, _core: _drop_unavailable(value),
        before_update=lambda value, _old, _core: _drop_unavailable(value),
        validate=_stateful_set,
        validate_create=_stateful_set_create,
        validate_status=_counted,
        validate_update=_stateful_set_update,
    ),
    GroupKind("apps", "DaemonSet"): Rules(
        generation=True,
        before_create=_daemon_set_before_create,
        before_update=_daemon_set_before_update,
        validate=_daemon_set,
        validate_update=_selector_fixed,
    ),
    GroupKind("", "ReplicationController"): Rules(generation=True, orphans=True, validate=_replication_controller),
}
