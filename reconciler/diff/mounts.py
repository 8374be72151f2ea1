"""What a live workload's pods need in order to start: deleting it would break them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.change import Live

Object = Mapping[str, Any]


def mounted(objects: Iterable[Live]) -> frozenset[Identity]:
    """ConfigMaps, Secrets, claims and ServiceAccounts that the pods of `objects` name.

    Of Pods, CronJobs and anything with a `spec.template`; other objects name nothing.
    """
    return frozenset(
        Identity("", kind, live.identity.namespace, name)
        for live in objects
        for kind, name in _named(_pod_spec(live.object))
        if name
    )


def _pod_spec(obj: Object) -> Object:
    spec = _object(obj, "spec")
    template = _object(spec, "template") or _object(_object(_object(spec, "jobTemplate"), "spec"), "template")
    return _object(template, "spec") or spec


def _named(pod: Object) -> Iterator[tuple[str, Any]]:
    for volume in _objects(pod, "volumes"):
        for source in (volume, *_objects(_object(volume, "projected"), "sources")):
            yield "ConfigMap", _object(source, "configMap").get("name")
            secret = _object(source, "secret")
            yield "Secret", secret.get("secretName") or secret.get("name")
        yield "PersistentVolumeClaim", _object(volume, "persistentVolumeClaim").get("claimName")
    for part in ("initContainers", "containers", "ephemeralContainers"):
        for container in _objects(pod, part):
            for source in _objects(container, "envFrom"):
                yield "ConfigMap", _object(source, "configMapRef").get("name")
                yield "Secret", _object(source, "secretRef").get("name")
            for variable in _objects(container, "env"):
                source = _object(variable, "valueFrom")
                yield "ConfigMap", _object(source, "configMapKeyRef").get("name")
                yield "Secret", _object(source, "secretKeyRef").get("name")
    for secret in _objects(pod, "imagePullSecrets"):
        yield "Secret", secret.get("name")
    yield "ServiceAccount", pod.get("serviceAccountName")


def _object(parent: Object, name: str) -> Object:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def _objects(parent: Object, name: str) -> list[Object]:
    value = parent.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
