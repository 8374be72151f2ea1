"""PersistentVolumeClaims: which a pod needs, when they may be bound, and a volume for each."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from reconciler.errors import AlreadyExists
from reconciler.kube.quantity import parse
from reconciler.sandbox.client import (
    CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
    Key,
    Object,
    Resource,
    key_of,
)
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.controllers.pods import is_finished

SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
PROVISIONER: Final = "sandbox.reconciler.dev/volumes"
_STANDARD: Final = Key("", "standard")  # no claim: the key of the default class
_IN_USE: Final = "kubernetes.io/pvc-protection"
_BOUND: Final = "kubernetes.io/pv-protection"
_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"


def claim_names(pod: Mapping[str, Any]) -> list[str]:
    """The claims that the volumes of `pod` name; a generic ephemeral volume has one named after pod and volume."""
    names = []
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            names.append(str(claim["claimName"]))
        elif volume.get("ephemeral"):
            names.append(f"{pod['metadata']['name']}-{volume['name']}")
    return names


def class_of(claim: Object, classes: Iterable[Object]) -> Object | None:
    """The StorageClass of `claim`: the one it names, else the default; None for "" or one that does not exist."""
    stated = claim["spec"].get("storageClassName")
    if stated is not None:
        return next((entry for entry in classes if entry["metadata"]["name"] == stated), None)
    marked = (entry for entry in classes if (entry["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true")
    return min(marked, key=lambda entry: str(entry["metadata"]["name"]), default=None)


def waits_for_pod(claim: Object, classes: Iterable[Object]) -> bool:
    """Whether `claim` is bound only when a pod that uses it has a node."""
    found = class_of(claim, classes)
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


class VolumeController(Controller):
    """Binds claims to volumes, its own or ready-made ones, and clears up after both."""

    name: ClassVar[str] = "persistentvolume-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._claims = self.follow(CLAIMS)
        self._volumes = self.follow(PERSISTENT_VOLUMES, _claim_of)
        self._volumes.subscribe(self._volume_changed)
        self._classes = self.informers.of(STORAGE_CLASSES)
        self._classes.subscribe(self._class_changed)
        self._pods = self.informers.of(PODS)
        self._pods.add_index("claim", _claims_used)
        self._pods.subscribe(self._pod_changed)
        self.queue.add(_STANDARD)

    def _class_changed(self, _old: Object | None, _new: Object | None) -> None:
        for claim in self._claims.all():
            if not claim["spec"].get("volumeName"):
                self.queue.add(key_of(claim))

    def _volume_changed(self, _old: Object | None, new: Object | None) -> None:
        """A ready-made volume that nobody has claimed may be what a claim waits for."""
        if new is not None and not new["spec"].get("claimRef"):
            self._class_changed(None, None)

    def _pod_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is None or is_finished(new):
            for name in claim_names(new or _old or {"spec": {}}):
                self.queue.add(Key((new or _old or {})["metadata"]["namespace"], name))

    async def reconcile(self, key: Key) -> None:
        claim = self._claims.get(key)
        if key == _STANDARD:
            await self._seed()
        elif claim is None:
            await self._reclaim(key)
        elif is_deleting(claim):
            await self._let_go(key, claim)
        elif (claim.get("status") or {}).get("phase") != "Bound":
            await self._bind(key, claim)

    async def _seed(self) -> None:
        """Make the class `standard`, the default, which binds at once, unless there is one of that name."""
        storage_class: Object = {
            "metadata": {"name": _STANDARD.name, "annotations": {DEFAULT_CLASS: "true"}},
            "provisioner": PROVISIONER,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        }
        try:
            await self.client.create(STORAGE_CLASSES, storage_class)
        except AlreadyExists:
            return

    async def _bind(self, key: Key, claim: Object) -> None:
        spec = claim["spec"]
        volume: Object | None
        if spec.get("volumeName"):
            volume = self._volumes.get(Key("", spec["volumeName"]))
        else:
            volume = next((entry for entry in self._volumes.all() if _suits(entry, claim)), None)
        if volume is None:
            volume = await self._provision(key, claim)
        if volume is None:
            await self._set_phase(CLAIMS, claim, {"phase": "Pending"})
            return
        if not (volume["spec"].get("claimRef") or {}).get("uid"):
            change = {"metadata": {"uid": volume["metadata"]["uid"]}, "spec": {"claimRef": _reference(claim)}}
            volume = await self.client.patch(PERSISTENT_VOLUMES, key_of(volume), change)
        await self._set_phase(PERSISTENT_VOLUMES, volume, {"phase": "Bound"})
        notes = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        binding: Object = {"volumeName": volume["metadata"]["name"]}
        if spec.get("storageClassName") is None and volume["spec"].get("storageClassName"):
            binding["storageClassName"] = volume["spec"]["storageClassName"]
        change = {"metadata": {"uid": claim["metadata"]["uid"], "annotations": notes}, "spec": binding}
        claim = await self.client.patch(CLAIMS, key, change)
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": volume["spec"]["capacity"],
        }
        await self._set_phase(CLAIMS, claim, status)

    async def _provision(self, key: Key, claim: Object) -> Object | None:
        """A new volume for `claim`; None while it must wait, or its class can make none."""
        classes = self._classes.all()
        found = class_of(claim, classes)
        name = claim["spec"].get("storageClassName")
        if found is None:
            if name:
                self.warning(CLAIMS, claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
            else:
                message = "no persistent volumes available for this claim and no storage class is set"
                self.normal(CLAIMS, claim, "FailedBinding", message)
            return None
        node = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
        if waits_for_pod(claim, classes) and not node:
            message = "waiting for first consumer to be created before binding"
            self.normal(CLAIMS, claim, "WaitForFirstConsumer", message)
            return None
        if found.get("provisioner") == _NO_PROVISIONER:
            return None
        volume: Object = {
            "metadata": {
                "name": f"pvc-{claim['metadata']['uid']}",
                "annotations": {"pv.kubernetes.io/provisioned-by": found.get("provisioner") or PROVISIONER},
            },
            "spec": {
                "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "claimRef": _reference(claim),
                "hostPath": {"path": f"/var/lib/sandbox/{key.namespace}/{key.name}", "type": ""},
                "persistentVolumeReclaimPolicy": found.get("reclaimPolicy") or "Delete",
                "storageClassName": found["metadata"]["name"],
                "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
            },
        }
        try:
            made = await self.client.create(PERSISTENT_VOLUMES, volume)
        except AlreadyExists:
            return await self.client.get(PERSISTENT_VOLUMES, Key("", volume["metadata"]["name"]))
        message = f"Successfully provisioned volume {volume['metadata']['name']}"
        self.normal(CLAIMS, claim, "ProvisioningSucceeded", message)
        return made

    async def _let_go(self, key: Key, claim: Object) -> None:
        """Once no pod uses a claim that is on its way out, nothing protects it any more."""
        used = any(not is_finished(pod) for pod in self._pods.by("claim", str(key)))
        finalizers = claim["metadata"].get("finalizers") or []
        if not used and _IN_USE in finalizers:
            kept = [entry for entry in finalizers if entry != _IN_USE]
            change = {"metadata": {"uid": claim["metadata"]["uid"], "finalizers": kept}}
            await self.client.patch(CLAIMS, key, change)

    async def _reclaim(self, key: Key) -> None:
        """The claim is gone: its volumes go too, or are released for somebody to look at."""
        for volume in self._volumes.all():
            if _claim_of(volume) != key or not volume["spec"]["claimRef"].get("uid"):
                continue
            if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
                await self._set_phase(PERSISTENT_VOLUMES, volume, {"phase": "Released"})
                continue
            if not is_deleting(volume):
                await self.client.delete(PERSISTENT_VOLUMES, volume)
                volume = self._volumes.get(key_of(volume)) or volume
            finalizers = volume["metadata"].get("finalizers") or []
            if is_deleting(volume) and _BOUND in finalizers:
                kept = [entry for entry in finalizers if entry != _BOUND]
                change = {"metadata": {"uid": volume["metadata"]["uid"], "finalizers": kept}}
                await self.client.patch(PERSISTENT_VOLUMES, key_of(volume), change)

    async def _set_phase(self, kind: Resource, obj: Object, status: Object) -> None:
        await self.set_status(kind, obj, {**(obj.get("status") or {}), **status})


def _claim_of(volume: Object) -> Key | None:
    reference = volume["spec"].get("claimRef")
    return Key(reference["namespace"], reference["name"]) if reference else None


def _claims_used(pod: Object) -> list[str]:
    return [str(Key(pod["metadata"]["namespace"], name)) for name in claim_names(pod)]


def _suits(volume: Object, claim: Object) -> bool:
    """Whether a ready-made volume satisfies `claim`: reserved for it, or free, of its class and large enough."""
    reserved = _claim_of(volume)
    uid = (volume["spec"].get("claimRef") or {}).get("uid")
    if is_deleting(volume) or (reserved is not None and reserved != key_of(claim)):
        return False
    if uid and uid != claim["metadata"]["uid"]:
        return False
    if (volume["spec"].get("storageClassName") or "") != (claim["spec"].get("storageClassName") or ""):
        return False
    if not set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ()):
        return False
    wanted = claim["spec"]["resources"]["requests"]["storage"]
    return parse(volume["spec"]["capacity"]["storage"]) >= parse(wanted)


def _reference(claim: Object) -> Object:
    metadata = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
