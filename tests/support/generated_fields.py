"""Any field of a kind, with a value that may fit it or not: what no menu foresees.

Kubernetes' own kinds are walked by the types of their fields, custom resources by their schema. A path is dotted; a
number in it is a place in a list.
"""

from random import Random
from typing import Any, Final

from generated_kinds import WIDGET_SCHEMA, Kind

from reconciler.kube.names import GroupVersionKind
from reconciler.sandbox import gotypes

_DEEPEST: Final = 12
_NOT_BELOW: Final = frozenset(("apiVersion", "kind", "metadata", "status"))
_LEFT_OUT: Final = frozenset(
    (
        # volumes of one vendor each
        *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "flexVolume", "flocker"),
        *("gcePersistentDisk", "gitRepo", "glusterfs", "iscsi", "photonPersistentDisk", "portworxVolume", "quobyte"),
        *("rbd", "scaleIO", "storageos", "vsphereVolume"),
        # devices and certificates given out to pods, copies of volumes, debugging, Windows, signals, webhooks
        *("claims", "resourceClaims", "clusterTrustBundle", "podCertificate", "dataSource", "dataSourceRef"),
        *("ephemeralContainers", "fileKeyRef", "schedulingGroup", "stopSignal", "windowsOptions", "clientConfig"),
    )
)
_SCHEMA: Final = "apiextensions/v1.JSONSchemaProps"  # a language of its own: what it says comes from the menu
_WRONG: Final = ("text", "", 7, 0, -1, 1.5, True, False, None, [], {}, ["x"], [1], [None], [{}], {"x": 1}, {"x": "y"})
_FITTING: Final[dict[str, tuple[Any, ...]]] = {
    "string": ("x", "", "Not A Name!", "a-name"),
    "bool": (True, False),
    "bytes": ("AAAA", "", "no base64"),
    "time": ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "then", ""),
    "microtime": ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.123456Z", "then"),
    "quantity": ("1", "0.5", "1500m", "-1", "1e3", 2, "x", ""),
    "intorstring": (1, 0, -1, "50%", "150%", "x", ""),
    "duration": ("5s", "x"),
    "float64": (1.5, 1, -1),
    "any": ({"x": [1, None]}, "x", None),
}
_NUMBERS: Final = (1, 0, 5, -1, 2**31, 2**63, 1e3)


def field(random: Random, kind: Kind, *, status: bool = False) -> tuple[str, Any]:
    """A path and a value. Only of the status with `status`, else never of it.

    Nothing empty: here that is as good as absent, and the real server tells them apart where something may not change
    and in lists that have one owner as a whole.
    """
    path, value = _field(random, kind, status=status)
    return path, None if value in ([], {}) else value


def _field(random: Random, kind: Kind, *, status: bool) -> tuple[str, Any]:
    group, _, version = kind.api_version.rpartition("/")
    struct = gotypes.struct_of(GroupVersionKind(group, version, kind.kind))
    if struct is None:
        schema = WIDGET_SCHEMA["openAPIV3Schema"]["properties"]["status" if status else "spec"]
        return _stated(random, schema, "status" if status else "spec")
    names = ["status"] if status else sorted(struct.types.keys() - _NOT_BELOW)
    name = random.choice(names or ["metadata"])
    return _typed(random, struct.types[name][1], name, 0)


def _typed(random: Random, kind: str, path: str, depth: int) -> tuple[str, Any]:
    """A field at or below `path`, whose Go type is `kind`."""
    kind = kind.removeprefix("either:")
    if kind == _SCHEMA:
        return path, random.choice(_WRONG)
    deeper = depth < _DEEPEST and random.choice((True,) * 7 + (False,))
    if deeper and kind.startswith("[]"):
        return _typed(random, kind[2:], f"{path}.{random.choice((0, 0, 0, 1))}", depth + 1)
    if deeper and kind.startswith("map:"):
        return _typed(random, kind[4:], f"{path}.{random.choice(('a', 'app', 'cpu', 'Not a key!'))}", depth + 1)
    if deeper and "." in kind and (types := gotypes.struct(kind).types):
        pod = {"resources"} if kind == "core/v1.PodSpec" else set()
        name = random.choice(sorted(types.keys() - _LEFT_OUT - pod))
        return _typed(random, types[name][1], f"{path}.{name}", depth + 1)
    if random.randrange(2):
        return path, random.choice(_WRONG)
    if kind.startswith(("int", "uint")) and kind != "intorstring":
        return path, random.choice(_NUMBERS)
    return path, random.choice(_FITTING.get(kind, (None, [], {})))


def _stated(random: Random, schema: dict[str, Any], path: str) -> tuple[str, Any]:
    """A field at or below `path`, which `schema` describes."""
    if random.choice((True,) * 7 + (False,)):
        if properties := schema.get("properties"):
            name = random.choice(sorted(properties))
            return _stated(random, properties[name], f"{path}.{name}")
        if items := schema.get("items"):
            return _stated(random, items, f"{path}.{random.choice((0, 1))}")
        if isinstance(more := schema.get("additionalProperties"), dict):
            return _stated(random, more, f"{path}.a")
    fitting = {"string": ("abc", "red"), "integer": (1, 5, 2**63, -(2**63)), "number": (1.5, 1e300), "boolean": (True,)}
    return path, random.choice((*_WRONG, *fitting.get(schema.get("type", ""), ())))
