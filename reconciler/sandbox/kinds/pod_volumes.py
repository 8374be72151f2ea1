"""The volumes of a pod. Of those that only one vendor has, it is checked that there is no second source beside them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.kube import quantity
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks, references
from reconciler.sandbox.kinds.storage import validate_claim
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_ORDER: Final = (
    *("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi"),
    *("glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc"),
    *("flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk"),
    *("storageos", "projected", "scaleIO", "csi", "ephemeral", "image"),
)
_MISSPELT: Final = {"downwardAPI": "downwarAPI", "cephfs": "cephFS"}  # where one of several is refused
_HOST_TYPES: Final = (
    *("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"),
)


def validate_volumes(volumes: Iterable[Value], field: str, causes: Causes, *, pod: bool) -> Mapping[str, Value]:
    """By their names, those with which nothing is wrong."""
    found: dict[str, Value] = {}
    for index, volume in enumerate(volumes):
        path, name, before = f"{field}[{index}]", volume.get("name", ""), len(causes)
        given = [source for source in _ORDER if source in volume]
        for extra in given[1:]:
            causes.forbidden(f"{path}.{_MISSPELT.get(extra, extra)}", "may not specify more than 1 volume type")
        if given:
            _source(given[0], volume[given[0]], f"{path}.{given[0]}", causes, pod=pod)
        else:
            causes.required(path, "must specify a volume type")
        if not name:
            causes.required(f"{path}.name")
        else:
            causes.words(f"{path}.name", name, naming.dns_label(name))
        if name in found:
            causes.duplicate(f"{path}.name", name)
        if len(causes) == before:
            found[name] = volume
    return found


def _source(kind: str, source: Value, field: str, causes: Causes, *, pod: bool) -> None:
    match kind:
        case "emptyDir":
            if quantity.parse(source.get("sizeLimit", 0)) < 0:
                causes.forbidden(f"{field}.sizeLimit", "SizeLimit field must be a valid resource quantity")
        case "hostPath":
            if not source.get("path"):
                causes.required(f"{field}.path")
            else:
                checks.stays(causes, f"{field}.path", source["path"])
                checks.supported(causes, f"{field}.type", source.get("type", ""), _HOST_TYPES)
        case "secret" | "configMap":
            name = "secretName" if kind == "secret" else "name"
            if not source.get(name):
                causes.required(f"{field}.{name}")
            checks.file_mode(causes, f"{field}.defaultMode", source.get("defaultMode"))
            _items(source, field, causes)
        case "downwardAPI":
            checks.file_mode(causes, f"{field}.defaultMode", source.get("defaultMode"))
            for item in source.get("items") or ():
                _pod_file(item, field, causes)
        case "projected":
            checks.file_mode(causes, f"{field}.defaultMode", source.get("defaultMode"))
            _projected(source, field, causes)
        case "persistentVolumeClaim":
            if not source.get("claimName"):
                causes.required(f"{field}.claimName")
        case "ephemeral":
            if (template := source.get("volumeClaimTemplate")) is None:
                causes.required(f"{field}.volumeClaimTemplate")
            else:
                _template(template, f"{field}.volumeClaimTemplate", causes)
        case "nfs":
            _nfs(source, field, causes)
        case "csi":
            _csi(source, field, causes)
        case "image":
            if pod and not source.get("reference"):
                causes.required(f"{field}.reference")
            checks.supported(causes, f"{field}.pullPolicy", source["pullPolicy"], ("Always", "IfNotPresent", "Never"))


def _template(template: Value, field: str, causes: Causes) -> None:
    about = template.get("metadata") or {}
    metadata.labels(about.get("labels") or {}, f"{field}.metadata.labels", causes)
    for key in about.get("annotations") or ():
        causes.words(f"{field}.metadata.annotations", key, naming.qualified_name(key.lower()))
    for name in about.keys() - {"annotations", "labels"}:
        causes.forbidden(f"{field}.metadata.{'uID' if name == 'uid' else name}", "cannot be set")
    validate_claim(template.get("spec") or {}, f"{field}.spec", causes)


def _nfs(source: Value, field: str, causes: Causes) -> None:
    for name in ("server", "path"):
        if not source.get(name):
            causes.required(f"{field}.{name}")
    if not source.get("path", "").startswith("/"):
        causes.invalid(f"{field}.path", source.get("path", ""), "must be an absolute path")


def _csi(source: Value, field: str, causes: Causes) -> None:
    driver = source.get("driver", "")
    if not driver:
        causes.required(f"{field}.driver")
    else:
        if len(driver) > 63:
            causes.too_long(f"{field}.driver", 63)
        causes.words(f"{field}.driver", driver, naming.dns_subdomain(driver.lower()))
    if (secret := source.get("nodePublishSecretRef")) is not None:
        if not secret.get("name"):
            causes.required(f"{field}.nodePublishSecretRef.name")
        else:
            causes.words(f"{field}.name", secret["name"], naming.dns_subdomain(secret["name"]))


def _items(source: Value, field: str, causes: Causes) -> list[str]:
    """Keys as files; returns where they lie."""
    paths = []
    for index, item in enumerate(source.get("items") or ()):
        where = f"{field}.items[{index}]"
        for name in ("key", "path"):
            if not item.get(name):
                causes.required(f"{where}.{name}")
        _file_path(item.get("path", ""), f"{where}.path", causes)
        checks.file_mode(causes, f"{where}.mode", item.get("mode"))
        paths.append(item.get("path", ""))
    return paths


def _file_path(path: str, field: str, causes: Causes) -> None:
    checks.descends(causes, field, path)
    if path.startswith("..") and not path.startswith("../"):
        causes.invalid(field, path, "must not start with '..'")


def _pod_file(item: Value, field: str, causes: Causes) -> str:
    """A field of the pod as a file. The real server does not say which."""
    path: str = item.get("path", "")
    if not path:
        causes.required(f"{field}.path")
    _file_path(path, f"{field}.path", causes)
    of_pod, of_container = item.get("fieldRef"), item.get("resourceFieldRef")
    if of_pod is not None:
        references.validate_field(of_pod, f"{field}.fieldRef", references.IN_FILES, causes)
        if of_container is not None:
            causes.invalid(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif of_container is not None:
        references.validate_resource(of_container, f"{field}.resourceFieldRef", causes, in_file=True)
    else:
        causes.required(field, "one of fieldRef and resourceFieldRef is required")
    checks.file_mode(causes, f"{field}.mode", item.get("mode"))
    return path


def _projected(projection: Value, field: str, causes: Causes) -> None:
    taken: set[str] = set()
    for index, source in enumerate(projection.get("sources") or ()):
        where, paths = f"{field}.sources[{index}]", []
        for kind in ("secret", "configMap"):
            if (part := source.get(kind)) is not None:
                if not part.get("name"):
                    causes.required(f"{where}.{kind}.name")
                paths += _items(part, f"{where}.{kind}", causes)
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            paths.append(_pod_file(item, f"{where}.downwardAPI", causes))
        if (token := source.get("serviceAccountToken")) is not None:
            _token(token, field, f"{where}.serviceAccountToken", causes)
        for path in filter(None, paths):
            if path in taken:
                causes.invalid(field, path, "conflicting duplicate paths")
            taken.add(path)
        if len(source) > 1:
            causes.forbidden(where, "may not specify more than 1 volume type per source")


def _token(token: Value, field: str, where: str, causes: Causes) -> None:
    seconds, path = token.get("expirationSeconds", 0), token.get("path", "")
    if not 600 <= seconds <= 2**32:
        causes.invalid(f"{where}.expirationSeconds", seconds, "must be from 10 minutes to 2^32 seconds")
    if not path:
        causes.required(f"{field}.path")
    else:
        _file_path(path, f"{field}.path", causes)
