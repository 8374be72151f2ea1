"""Which other objects an object refers to, and so needs to be there first.

Only names are read here; whether they are in the same source is for the Renderer to see.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.kube.kinds import RBAC
from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.render.podspec import pod_spec


def references(obj: Mapping[str, Any], identity: Identity) -> tuple[Identity, ...]:
    """Identities that `obj` names, sorted: its namespace, what its pods mount or run as, what it routes to, …"""
    found: set[Identity] = set()
    if identity.namespace:
        found.add(Identity("", "Namespace", "", identity.namespace))
    if (pods := pod_spec(identity.group_kind, obj)) is not None:
        found.update(_of_pods(pods, identity.namespace))
    if (of_kind := _KINDS.get(identity.group_kind)) is not None:
        found.update(of_kind(obj, identity.namespace))
    return tuple(sorted(i for i in found if i.name and i != identity))


def _of_pods(spec: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    yield Identity("", "ServiceAccount", namespace, _text(spec, "serviceAccountName"))
    yield Identity("scheduling.k8s.io", "PriorityClass", "", _text(spec, "priorityClassName"))
    yield Identity("node.k8s.io", "RuntimeClass", "", _text(spec, "runtimeClassName"))
    for secret in _items(spec, "imagePullSecrets"):
        yield Identity("", "Secret", namespace, _text(secret, "name"))
    for volume in _items(spec, "volumes"):
        claim = _object(volume, "persistentVolumeClaim")
        yield Identity("", "PersistentVolumeClaim", namespace, _text(claim, "claimName"))
        yield Identity("", "Secret", namespace, _text(_object(volume, "secret"), "secretName"))
        for source in (volume, *_items(_object(volume, "projected"), "sources")):
            yield Identity("", "ConfigMap", namespace, _text(_object(source, "configMap"), "name"))
            yield Identity("", "Secret", namespace, _text(_object(source, "secret"), "name"))
    for container in (*_items(spec, "containers"), *_items(spec, "initContainers")):
        for source in _items(container, "envFrom"):
            yield Identity("", "ConfigMap", namespace, _text(_object(source, "configMapRef"), "name"))
            yield Identity("", "Secret", namespace, _text(_object(source, "secretRef"), "name"))
        for variable in _items(container, "env"):
            value = _object(variable, "valueFrom")
            yield Identity("", "ConfigMap", namespace, _text(_object(value, "configMapKeyRef"), "name"))
            yield Identity("", "Secret", namespace, _text(_object(value, "secretKeyRef"), "name"))


def _of_ingress(obj: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    spec = _object(obj, "spec")
    yield Identity("networking.k8s.io", "IngressClass", "", _text(spec, "ingressClassName"))
    for tls in _items(spec, "tls"):
        yield Identity("", "Secret", namespace, _text(tls, "secretName"))
    paths = (path for rule in _items(spec, "rules") for path in _items(_object(rule, "http"), "paths"))
    for backend in (_object(spec, "defaultBackend"), *(_object(path, "backend") for path in paths)):
        yield Identity("", "Service", namespace, _text(_object(backend, "service"), "name"))


def _of_binding(obj: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    role = _object(obj, "roleRef")
    kind = _text(role, "kind")
    yield Identity(RBAC, kind, namespace if kind == "Role" else "", _text(role, "name"))
    for subject in _items(obj, "subjects"):
        if subject.get("kind") == "ServiceAccount":
            yield Identity("", "ServiceAccount", _text(subject, "namespace") or namespace, _text(subject, "name"))


def _of_autoscaler(obj: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    if (target := scale_target(obj, namespace)) is not None:
        yield target


def scale_target(autoscaler: Mapping[str, Any], namespace: str) -> Identity | None:
    """The workload that a HorizontalPodAutoscaler scales; None where it names none."""
    target = _object(_object(autoscaler, "spec"), "scaleTargetRef")
    kind, name = _text(target, "kind"), _text(target, "name")
    group = GroupVersionKind.parse(_text(target, "apiVersion"), kind).group
    return Identity(group, kind, namespace, name) if kind and name else None


def _of_stateful_set(obj: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    spec = _object(obj, "spec")
    yield Identity("", "Service", namespace, _text(spec, "serviceName"))
    for claim in _items(spec, "volumeClaimTemplates"):
        yield from _of_claim(claim, namespace)


def _of_claim(obj: Mapping[str, Any], _namespace: str) -> Iterator[Identity]:
    spec = _object(obj, "spec")
    yield Identity("storage.k8s.io", "StorageClass", "", _text(spec, "storageClassName"))
    yield Identity("", "PersistentVolume", "", _text(spec, "volumeName"))


def _of_service_account(obj: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    for secret in _items(obj, "imagePullSecrets"):
        yield Identity("", "Secret", namespace, _text(secret, "name"))


def _of_secret(obj: Mapping[str, Any], namespace: str) -> Iterator[Identity]:
    """A token without its account is deleted by its controller."""
    if obj.get("type") == "kubernetes.io/service-account-token":
        annotations = _object(_object(obj, "metadata"), "annotations")
        yield Identity("", "ServiceAccount", namespace, _text(annotations, "kubernetes.io/service-account.name"))


def _of_webhooks(obj: Mapping[str, Any], _namespace: str) -> Iterator[Identity]:
    for webhook in _items(obj, "webhooks"):
        yield _service(_object(webhook, "clientConfig"))


def _of_api_service(obj: Mapping[str, Any], _namespace: str) -> Iterator[Identity]:
    yield _service(_object(obj, "spec"))


def _service(value: Mapping[str, Any]) -> Identity:
    named = _object(value, "service")
    return Identity("", "Service", _text(named, "namespace"), _text(named, "name"))


_KINDS: Final[Mapping[GroupKind, Callable[[Mapping[str, Any], str], Iterable[Identity]]]] = {
    GroupKind("", "PersistentVolumeClaim"): _of_claim,
    GroupKind("", "Secret"): _of_secret,
    GroupKind("", "ServiceAccount"): _of_service_account,
    GroupKind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _of_webhooks,
    GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _of_webhooks,
    GroupKind("apiregistration.k8s.io", "APIService"): _of_api_service,
    GroupKind("apps", "StatefulSet"): _of_stateful_set,
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): _of_autoscaler,
    GroupKind("networking.k8s.io", "Ingress"): _of_ingress,
    GroupKind(RBAC, "ClusterRoleBinding"): _of_binding,
    GroupKind(RBAC, "RoleBinding"): _of_binding,
}


# What people write may have any shape; a wrong one is for validation to name, and refers to nothing here.


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _items(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
