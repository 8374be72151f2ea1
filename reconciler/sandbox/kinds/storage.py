"""PersistentVolumes, claims and what describes storage."""

from typing import TYPE_CHECKING, Any, Final

from reconciler.kube import quantity
from reconciler.kube.names import GroupKind
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_GROUP: Final = "storage.k8s.io"
_CLASS: Final = GroupKind(_GROUP, "StorageClass")
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def _claim_before_create(claim: Value, core: "Core") -> None:
    claim["status"] = {"phase": "Pending"}
    spec = claim["spec"]
    if "storageClassName" not in spec:
        for entry in core.store.range(_CLASS):
            found = core.get(_CLASS, "", entry.name) or {}
            if (found["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
                spec["storageClassName"] = entry.name
    _same_source(spec)
    finalizers = claim["metadata"].setdefault("finalizers", [])
    if "kubernetes.io/pvc-protection" not in finalizers:
        finalizers.append("kubernetes.io/pvc-protection")


def _same_source(spec: Value) -> None:
    """`dataSource` and `dataSourceRef` say the same."""
    if "dataSource" in spec and "dataSourceRef" not in spec:
        spec["dataSourceRef"] = spec["dataSource"]
    elif "dataSourceRef" in spec and "dataSource" not in spec and "namespace" not in spec["dataSourceRef"]:
        spec["dataSource"] = spec["dataSourceRef"]


def _claim(claim: Value, causes: Causes) -> None:
    validate_claim(claim["spec"], "spec", causes)


def validate_claim(spec: Value, field: str, causes: Causes) -> None:
    """What is claimed, by a claim or by the template of one."""
    modes = spec.get("accessModes") or []
    if not modes:
        causes.required(f"{field}.accessModes", "at least 1 access mode is required")
    for mode in modes:
        checks.supported(causes, f"{field}.accessModes", mode, _MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        causes.forbidden(f"{field}.accessModes", "may not use ReadWriteOncePod with other access modes")
    metadata.selector(spec.get("selector") or {}, f"{field}.selector", causes)
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        causes.required(f"{field}.resources[storage]")
    elif quantity.parse(size) <= 0:
        causes.invalid(f"{field}.resources[storage]", size, "must be greater than zero")
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            causes.words(f"{field}.{name}", spec[name], naming.dns_subdomain(spec[name]))
    checks.supported(causes, f"{field}.volumeMode", spec.get("volumeMode"), ("Block", "Filesystem"))


def _claim_update(new: Value, old: Value, causes: Causes) -> None:
    after, before = dict(new["spec"]), dict(old["spec"])
    if not before.get("volumeName"):
        after.pop("volumeName", None)
        before.pop("volumeName", None)
    if "storageClassName" not in before:
        after.pop("storageClassName", None)
    bound = (new.get("status") or {}).get("phase") == "Bound"
    sizes = [(spec["resources"].get("requests") or {}).get("storage") for spec in (new["spec"], old["spec"])]
    if bound:
        for spec in (after, before):
            requests = {k: v for k, v in (spec["resources"].get("requests") or {}).items() if k != "storage"}
            spec["resources"] = {**spec["resources"], "requests": requests}
            spec.pop("volumeAttributesClassName", None)
    if after != before:
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        causes.forbidden("spec", why)
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
    if (
        sizes[0]
        and sizes[1]
        and quantity.parse(sizes[0]) < quantity.parse(sizes[1])
        and quantity.parse(sizes[0]) <= quantity.parse(capacity or 0)
    ):
        causes.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    if new["spec"].get("volumeMode") != old["spec"].get("volumeMode"):
        causes.invalid("volumeMode", new["spec"].get("volumeMode"), IMMUTABLE)


def _volume_before_create(volume: Value, core: "Core") -> None:
    volume["status"] = {"phase": "Pending", "lastPhaseTransitionTime": core.now()}
    finalizers = volume["metadata"].setdefault("finalizers", [])
    if "kubernetes.io/pv-protection" not in finalizers:
        finalizers.append("kubernetes.io/pv-protection")


def _volume(volume: Value, causes: Causes) -> None:
    spec = volume["spec"]
    if not spec.get("accessModes"):
        causes.required("spec.accessModes")
    for mode in spec.get("accessModes") or ():
        checks.supported(causes, "spec.accessModes", mode, _MODES)
    if not spec.get("capacity"):
        causes.required("spec.capacity")
    elif "storage" not in spec["capacity"]:
        causes.unsupported("spec.capacity", spec["capacity"], ["storage"])
    policies = ("Delete", "Recycle", "Retain")
    checks.supported(causes, "spec.persistentVolumeReclaimPolicy", spec.get("persistentVolumeReclaimPolicy"), policies)


def _class(value: Value, causes: Causes) -> None:
    if not value.get("provisioner"):
        causes.required("provisioner")
    checks.supported(causes, "reclaimPolicy", value.get("reclaimPolicy"), ("Delete", "Retain"))
    checks.supported(causes, "volumeBindingMode", value.get("volumeBindingMode"), ("Immediate", "WaitForFirstConsumer"))


def _class_update(new: Value, old: Value, causes: Causes) -> None:
    if (new.get("parameters") or {}) != (old.get("parameters") or {}):
        causes.forbidden("parameters", "updates to parameters are forbidden.")
    if new.get("provisioner") != old.get("provisioner"):
        causes.forbidden("provisioner", "updates to provisioner are forbidden.")
    for name in ("reclaimPolicy", "volumeBindingMode"):
        if new.get(name) != old.get(name):
            causes.invalid(name, new.get(name), IMMUTABLE)


RULES: Final = {
    GroupKind("", "PersistentVolumeClaim"): Rules(
        before_create=_claim_before_create, validate=_claim, validate_update=_claim_update, returns_deleted=True
    ),
    GroupKind("", "PersistentVolume"): Rules(
        before_create=_volume_before_create, validate=_volume, returns_deleted=True
    ),
    _CLASS: Rules(validate=_class, validate_update=_class_update, returns_deleted=True),
    GroupKind(_GROUP, "CSIDriver"): Rules(unconditional_update=False, returns_deleted=True),
    GroupKind(_GROUP, "CSINode"): Rules(unconditional_update=False, returns_deleted=True),
    GroupKind(_GROUP, "CSIStorageCapacity"): Rules(unconditional_update=False),
    GroupKind(_GROUP, "VolumeAttachment"): Rules(unconditional_update=False, returns_deleted=True),
    GroupKind(_GROUP, "VolumeAttributesClass"): Rules(returns_deleted=True),
}
