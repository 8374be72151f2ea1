"""Jobs: the labels that the server chooses, and what may be stated and changed."""

from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.names import GroupKind
from reconciler.kube.selector import LabelSelector
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks, podspec
from reconciler.sandbox.kinds.job_indexes import read_indexes
from reconciler.sandbox.kinds.job_status import validate_status
from reconciler.sandbox.rules import Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

_NAME_LABELS: Final = ("job-name", "batch.kubernetes.io/job-name")
_UID_LABELS: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
_FIXED: Final = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_COUNTS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "ttlSecondsAfterFinished",
)
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_MANY: Final = 100_000  # completions, parallel pods or failed indexes of an indexed Job
_FEWER: Final = 10_000  # of those two where completions are more than many and indexes are retried


def _before_create(job: Value, _core: "Core") -> None:
    spec = job["spec"]
    if spec.get("manualSelector"):
        return
    about = job["metadata"]
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for label in _NAME_LABELS:
        labels.setdefault(label, about["name"])
    for label in _UID_LABELS:
        labels.setdefault(label, about["uid"])
    if not about.get("labels"):
        about["labels"] = dict(labels)
    selector = spec.setdefault("selector", {})
    selector["matchLabels"] = {_UID_LABELS[1]: about["uid"], **(selector.get("matchLabels") or {})}


def _validate(job: Value, causes: Causes) -> None:
    spec, about = job["spec"], job["metadata"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector")
    if not spec.get("manualSelector") and selector is not None:
        _generated(labels, selector, about, causes)
    if selector is None:
        causes.required("spec.selector")
    else:
        metadata.selector(selector, "spec.selector", causes)
    if not _selects(selector, labels, unreadable=True):
        causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    validate_spec(spec, "spec", causes)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        longest = f"{about.get('name', '')}-{completions - 1}"
        if naming.dns_label(longest):
            why = f"will not able to create pod with invalid DNS label: {longest}"
            causes.invalid("metadata.name", about.get("name", ""), why)


def _generated(labels: Value, selector: Value, about: Value, causes: Causes) -> None:
    expected = dict.fromkeys(_NAME_LABELS, about["name"]) | dict.fromkeys(_UID_LABELS, about["uid"])
    for key, text in expected.items():
        if key not in labels:
            causes.required(f"spec.template.metadata.labels[{key}]", f"must be '{text}'")
        elif labels[key] != text:
            causes.invalid(f"spec.template.metadata.labels[{key}]", labels[key], f"must be '{text}'")
    if not _selects(selector, expected, unreadable=True):
        causes.invalid("spec.selector", selector, "`selector` not auto-generated")


def _selects(selector: Value | None, labels: Value, *, unreadable: bool) -> bool:
    """Whether a selector selects labels; `unreadable` where it is none."""
    wrong = Causes()
    metadata.selector(selector or {}, "", wrong)
    return unreadable if wrong else LabelSelector.of(selector).matches(labels)


def validate_spec(spec: Value, field: str, causes: Causes) -> None:
    """What Jobs and the Jobs that CronJobs make have in common."""
    for name in _COUNTS:
        checks.not_negative(causes, f"{field}.{name}", spec.get(name))
    if "maxFailedIndexes" in spec and "backoffLimitPerIndex" not in spec:
        causes.required(f"{field}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if (manager := spec.get("managedBy")) is not None:
        _managed_by(manager, f"{field}.managedBy", causes)
    mode = spec.get("completionMode", "NonIndexed")
    checks.supported(causes, f"{field}.completionMode", mode, ("Indexed", "NonIndexed"))
    if mode == "Indexed":
        _indexed(spec, field, causes)
    elif mode == "NonIndexed":
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if name in spec:
                causes.invalid(f"{field}.{name}", spec[name], "requires indexed completion mode")
    _policies(spec, field, causes)
    podspec.validate_template(spec["template"], f"{field}.template", causes)
    restart, path = (spec["template"].get("spec") or {}).get("restartPolicy"), f"{field}.template.spec.restartPolicy"
    if restart == "Always":
        causes.required(path, 'valid values: "OnFailure", "Never"')
    elif restart not in ("OnFailure", "Never"):
        causes.unsupported(path, restart, ("Never", "OnFailure"))
    elif restart != "Never" and "podFailurePolicy" in spec:
        causes.invalid(path, restart, 'only "Never" is supported when podFailurePolicy is specified')


def _managed_by(manager: str, field: str, causes: Causes) -> None:
    if not manager:
        causes.required(field)
        return
    domain, slash, path = manager.partition("/")
    if not slash or not domain or not path:
        causes.invalid(field, manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    causes.words(field, domain, naming.dns_subdomain(domain))
    causes.words(field, path, naming.url_path(path))
    if len(manager) > 63:
        causes.too_long(field, 63)


def _indexed(spec: Value, field: str, causes: Causes) -> None:
    completions, parallel, failed = (spec.get(name) for name in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        causes.required(f"{field}.completions", "when completion mode is Indexed")
    if parallel is not None and parallel > _MANY:
        why = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        causes.invalid(f"{field}.parallelism", parallel, why)
    if completions is not None and failed is not None and failed > completions:
        causes.invalid(f"{field}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > _MANY:
        causes.invalid(f"{field}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}")
    if (completions or 0) <= _MANY or "backoffLimitPerIndex" not in spec:
        return
    if failed is None:
        causes.required(f"{field}.maxFailedIndexes", f"must be specified when completions is above {_MANY}")
    for name, number in (("parallelism", parallel), ("maxFailedIndexes", failed)):
        if number is not None and number > _FEWER:
            causes.invalid(f"{field}.{name}", number, f"must be at most {_FEWER} with so many completions")


def _policies(spec: Value, field: str, causes: Causes) -> None:
    failure, replacement = spec.get("podFailurePolicy"), spec.get("podReplacementPolicy", "Failed")
    checks.supported(
        causes,
        f"{field}.podReplacementPolicy",
        replacement,
        ("Failed", "TerminatingOrFailed") if failure is None else ("Failed",),
    )
    if failure is not None:
        pod = spec["template"].get("spec") or {}
        names = {c.get("name", "") for c in [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]}
        if len(failure.get("rules") or ()) > 20:
            causes.too_many(f"{field}.podFailurePolicy.rules", 20)
        for index, rule in enumerate(failure.get("rules") or ()):
            path = f"{field}.podFailurePolicy.rules[{index}]"
            _failure_rule(rule, path, names, retried="backoffLimitPerIndex" in spec, causes=causes)
    if (success := spec.get("successPolicy")) is not None:
        if spec.get("completionMode") != "Indexed":
            causes.invalid(f"{field}.successPolicy", success, "requires indexed completion mode")
        else:
            _success(success, f"{field}.successPolicy.rules", spec.get("completions") or 0, causes)


def _failure_rule(rule: Value, field: str, names: set[str], *, retried: bool, causes: Causes) -> None:
    action = rule.get("action", "")
    if not action:
        causes.required(f"{field}.action", f"valid values: {list(_ACTIONS)}")
    elif action == "FailIndex" and not retried:
        causes.invalid(f"{field}.action", action, "requires the backoffLimitPerIndex to be set")
    else:
        checks.supported(causes, f"{field}.action", action, _ACTIONS)
    codes, patterns = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
    if codes is not None:
        _exit_codes(codes, f"{field}.onExitCodes", names, causes)
    if len(patterns) > 20:
        causes.too_many(f"{field}.onPodConditions", 20)
    for index, pattern in enumerate(patterns):
        path, kind, status = f"{field}.onPodConditions[{index}]", pattern.get("type", ""), pattern.get("status", "")
        causes.words(f"{path}.type", kind, naming.qualified_name(kind))
        if not status:
            causes.required(f"{path}.status")
        else:
            checks.supported(causes, f"{path}.status", status, ("False", "True", "Unknown"))
    if (codes is None) == (not patterns):
        causes.invalid(field, "", "one of onExitCodes and onPodConditions is required, and not both")


def _exit_codes(codes: Value, field: str, names: set[str], causes: Causes) -> None:
    operator, values = codes.get("operator", ""), codes.get("values") or []
    if not operator:
        causes.required(f"{field}.operator", "valid values: In, NotIn")
    else:
        checks.supported(causes, f"{field}.operator", operator, ("In", "NotIn"))
    if "containerName" in codes and codes["containerName"] not in names:
        why = "must be one of the container or initContainer names in the pod template"
        causes.invalid(f"{field}.containerName", codes["containerName"], why)
    if not values:
        causes.invalid(f"{field}.values", values, "at least one value is required")
    elif len(values) > 255:
        causes.too_many(f"{field}.values", 255)
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            causes.invalid(f"{field}.values[{index}]", value, "must not be 0 for the In operator")
        if value in values[:index]:
            causes.duplicate(f"{field}.values[{index}]", value)
    if sorted(values) != values:
        causes.invalid(f"{field}.values", values, "must be ordered")


def _success(policy: Value, field: str, completions: int, causes: Causes) -> None:
    rules = policy.get("rules") or ()
    if not rules:
        causes.required(field, "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > 20:
        causes.too_many(field, 20)
    for index, rule in enumerate(rules):
        path, count, text = f"{field}[{index}]", rule.get("succeededCount"), rule.get("succeededIndexes")
        if count is None and text is None:
            causes.required(path, "at least one of succeededCount or succeededIndexes must be specified")
        total = 0
        if text is not None:
            try:
                total = sum(last - first + 1 for first, last in read_indexes(text, completions))
            except ValueError as error:
                causes.invalid(f"{path}.succeededIndexes", text, str(error))
        if count is not None:
            checks.not_negative(causes, f"{path}.succeededCount", count)
            if count > completions or (text is not None and count > total):
                causes.invalid(f"{path}.succeededCount", count, "must not be more than there are indexes")


def _validate_update(new: Value, old: Value, causes: Causes) -> None:
    after, before = new["spec"], old["spec"]
    if after.get("completions") != before.get("completions"):
        if after.get("completionMode") != "Indexed":
            causes.invalid("spec.completions", after.get("completions"), "field is immutable")
        elif "completions" in after and after["completions"] != after.get("parallelism"):
            causes.invalid(
                "spec.completions", after.get("completions"), "can only be modified in tandem with spec.parallelism"
            )
    for name in _FIXED:
        if after.get(name) != before.get(name):
            causes.invalid(f"spec.{name}", after.get(name), "field is immutable")
    _template_update(after["template"], before, old.get("status") or {}, causes)


def _template_update(template: Value, before: Value, status: Value, causes: Causes) -> None:
    """Where its pods run and what they get may change while a Job is suspended and has none."""
    stored = before["template"]
    suspended = any(c["type"] == "Suspended" and c.get("status") == "True" for c in status.get("conditions") or ())
    still = before.get("suspend") and ("startTime" not in status or suspended) and not status.get("active")
    if not still:
        if template != stored:
            causes.invalid("spec.template", template, "field is immutable")
    elif _kept(template)["spec"] != _kept(stored)["spec"]:
        causes.invalid("spec.template.spec", template["spec"], "field is immutable")


def _kept(template: Value) -> Value:
    """A template less what may change in a suspended Job."""
    names = ("nodeSelector", "tolerations", "schedulingGates", "affinity")
    spec = {name: part for name, part in template["spec"].items() if name not in names}
    affinity = {name: part for name, part in (template["spec"].get("affinity") or {}).items() if name != "nodeAffinity"}
    for group in ("containers", "initContainers"):
        if group in spec:
            spec[group] = [{k: v for k, v in c.items() if k != "resources"} for c in spec[group] or ()]
    return {"spec": {**spec, "affinity": affinity}}


RULES: Final = {
    GroupKind("batch", "Job"): Rules(
        generation=True,
        orphans=True,
        before_create=_before_create,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=validate_status,
    ),
}
