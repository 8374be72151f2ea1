"""Roles and their bindings."""

from typing import Any, Final

from reconciler.kube.kinds import RBAC
from reconciler.kube.names import GroupKind
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.rules import Causes, Rules

Value = dict[str, Any]


def _role(value: Value, causes: Causes, *, namespaced: bool) -> None:
    for index, rule in enumerate(value.get("rules") or ()):
        field = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.required(f"{field}.verbs", "verbs must contain at least one value")
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                causes.invalid(f"{field}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                causes.invalid(f"{field}.nonResourceURLs", urls, why)
            continue
        if not rule.get("apiGroups"):
            causes.required(f"{field}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            causes.required(f"{field}.resources", "resource rules must supply at least one resource")


def _local_role(value: Value, causes: Causes) -> None:
    _role(value, causes, namespaced=True)


def _cluster_role(value: Value, causes: Causes) -> None:
    if (rule := value.get("aggregationRule")) is not None and not rule.get("clusterRoleSelectors"):
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        causes.required("aggregationRule.clusterRoleSelectors", why)
    for index, selector in enumerate((rule or {}).get("clusterRoleSelectors") or ()):
        field = f"aggregationRule.clusterRoleSelectors[{index}]"
        before = len(causes)
        metadata.selector(selector, field, causes)
        if len(causes) > before:
            causes.invalid(field, selector, "invalid label selector.")
    _role(value, causes, namespaced=False)


def _binding(value: Value, causes: Causes) -> None:
    reference = value["roleRef"]
    kinds = ("ClusterRole",) if value["kind"] == "ClusterRoleBinding" else ("ClusterRole", "Role")
    checks.supported(causes, "roleRef.apiGroup", reference.get("apiGroup"), (RBAC,))
    checks.supported(causes, "roleRef.kind", reference.get("kind"), kinds)
    if not reference.get("name"):
        causes.required("roleRef.name")
    else:
        causes.words("roleRef.name", reference["name"], naming.path_segment(reference["name"]))
    for index, subject in enumerate(value.get("subjects") or ()):
        _subject(subject, f"subjects[{index}]", causes, namespaced=value["kind"] == "RoleBinding")


def _subject(subject: Value, field: str, causes: Causes, *, namespaced: bool) -> None:
    kind, name, group = subject.get("kind"), subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        causes.required(f"{field}.name")
    if kind == "ServiceAccount":
        if name:
            causes.words(f"{field}.name", name, naming.dns_subdomain(name))
        checks.supported(causes, f"{field}.apiGroup", group, ("",))
        if not subject.get("namespace") and not namespaced:
            causes.required(f"{field}.namespace")
    elif kind in ("User", "Group"):
        checks.supported(causes, f"{field}.apiGroup", group, (RBAC,))
    else:
        causes.unsupported(f"{field}.kind", kind, ("Group", "ServiceAccount", "User"))


def _binding_update(new: Value, old: Value, causes: Causes) -> None:
    if new["roleRef"] != old["roleRef"]:
        causes.invalid("roleRef", new["roleRef"], "cannot change roleRef")


RULES: Final = {
    GroupKind(RBAC, "Role"): Rules(name=naming.path_segment, create_on_update=True, validate=_local_role),
    GroupKind(RBAC, "ClusterRole"): Rules(name=naming.path_segment, create_on_update=True, validate=_cluster_role),
    **{
        GroupKind(RBAC, kind): Rules(
            name=naming.path_segment,
            create_on_update=True,
            validate=_binding,
            validate_update=_binding_update,
        )
        for kind in ("RoleBinding", "ClusterRoleBinding")
    },
}
