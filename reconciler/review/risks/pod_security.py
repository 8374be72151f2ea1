"""Pods that may do more to their node, or to each other, than they might before.

The checks are those of the Pod Security Standards. Of what is new, only what its level "baseline" forbids is told; of
what was there, whatever it kept of "restricted" and no longer does.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.render.podspec import pod_spec
from reconciler.review.risks.case import Case, Object, mapping, maps, risk, some, texts

_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_LEVELS: Final = ("privileged", "baseline", "restricted")
_HARMLESS: Final = frozenset({"NET_BIND_SERVICE"})


def find(case: Case) -> Iterator[Risk]:
    """Workloads whose pods are freer than they were, and namespaces that let them be."""
    for manifest, before in case.touched():
        group_kind = manifest.identity.group_kind
        if manifest.identity.kind == "Namespace" and not manifest.identity.group:
            now, then = _enforced(manifest.object), _enforced(before)
            if before is not None and _LEVELS.index(now) < _LEVELS.index(then):
                yield risk(RiskCode.WEAKER_POD_SECURITY, manifest, f"enforces {now} pod security instead of {then}")
            continue
        spec = pod_spec(group_kind, manifest.object)
        if spec is None:
            continue
        old = pod_spec(group_kind, before) if before is not None else None
        had = {*_freedoms(old), *_laxities(old)} if old is not None else set()
        found = [each for each in _freedoms(spec) if each not in had]
        if old is not None:
            found += [each for each in _laxities(spec) if each not in had]
        if found:
            yield risk(RiskCode.WEAKER_POD_SECURITY, manifest, f"its pods get {some(found, 5)}")


def _enforced(namespace: Object | None) -> str:
    labels = mapping(mapping((namespace or {}).get("metadata")).get("labels"))
    level = labels.get(_ENFORCE)
    return level if level in _LEVELS else "privileged"


def _freedoms(spec: Object) -> Iterator[str]:
    """What "baseline" forbids."""
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    for volume in maps(spec.get("volumes")):
        if isinstance(path := volume.get("hostPath"), Mapping):
            yield f"the node's path {path.get('path')}"
    if _profile(spec) == "Unconfined":
        yield "no seccomp profile"
    for name, container in _containers(spec):
        context = mapping(container.get("securityContext"))
        if context.get("privileged"):
            yield f"a privileged container {name}"
        added = texts(mapping(context.get("capabilities")).get("add"))
        yield from (f"capability {each} in {name}" for each in added if each not in _HARMLESS)
        yield from (
            f"the node's port {p['hostPort']} in {name}" for p in maps(container.get("ports")) if p.get("hostPort")
        )
        if _profile(container) == "Unconfined":
            yield f"no seccomp profile in {name}"


def _laxities(spec: Object) -> Iterator[str]:
    """What "restricted" asks for and the pods do not keep."""
    pod = mapping(spec.get("securityContext"))
    for name, container in _containers(spec):
        context = mapping(container.get("securityContext"))
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"privilege escalation in {name}"
        if not context.get("runAsNonRoot", pod.get("runAsNonRoot")):
            yield f"root allowed in {name}"
        if context.get("runAsUser", pod.get("runAsUser")) == 0:
            yield f"root in {name}"
        if "ALL" not in texts(mapping(context.get("capabilities")).get("drop")):
            yield f"default capabilities in {name}"


def _profile(holder: Object) -> Any:
    return mapping(mapping(holder.get("securityContext")).get("seccompProfile")).get("type")


def _containers(spec: Object) -> Iterator[tuple[str, Object]]:
    for part in ("initContainers", "containers", "ephemeralContainers"):
        for container in maps(spec.get(part)):
            yield str(container.get("name")), container
