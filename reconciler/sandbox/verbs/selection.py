"""Which objects a list, watch or deletion is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.kube.selector import FieldSelector, LabelSelector
from reconciler.sandbox.core import Core
from reconciler.sandbox.refusals import bad_request
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.store import Entry

_ALWAYS: Final = frozenset(("metadata.name", "metadata.namespace"))
_EVENT: Final = frozenset(
    (
        *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")),
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    )
)
FIELDS: Final[Mapping[GroupKind, frozenset[str]]] = {
    GroupKind("", "Event"): _EVENT,
    GroupKind("", "Namespace"): frozenset(("status.phase",)),
    GroupKind("", "Node"): frozenset(("spec.unschedulable",)),
    GroupKind("", "Pod"): frozenset(
        (
            *(
                f"spec.{name}"
                for name in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName", "hostNetwork")
            ),
            *(f"status.{name}" for name in ("phase", "podIP", "podIPs", "nominatedNodeName")),
        )
    ),
    GroupKind("", "ReplicationController"): frozenset(("status.replicas",)),
    GroupKind("", "Secret"): frozenset(("type",)),
    GroupKind("", "Service"): frozenset(("spec.clusterIP", "spec.type")),
    GroupKind("apps", "ReplicaSet"): frozenset(("status.replicas",)),
    GroupKind("batch", "Job"): frozenset(("status.successful",)),
    GroupKind("certificates.k8s.io", "CertificateSigningRequest"): frozenset(("spec.signerName",)),
}
"""Fields beyond name and namespace that a kind can be selected by."""

_FALSE_WHEN_ABSENT: Final = {GroupKind("", "Node"): "unschedulable", GroupKind("", "Pod"): "hostNetwork"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Label and field requirements; stored objects are decoded only where name, namespace and labels do not decide."""

    core: Core
    kind: Kind
    labels: LabelSelector | None
    plain: tuple[tuple[str, str, bool], ...]  # conditions on metadata.name and metadata.namespace
    fields: FieldSelector | None

    @property
    def everything(self) -> bool:
        return self.labels is None and not self.plain and self.fields is None

    def matches(self, entry: Entry) -> bool:
        if self.labels is not None and not self.labels.matches(entry.labels):
            return False
        for field, value, wanted in self.plain:
            found = entry.namespace if field == "metadata.namespace" else entry.name
            if (found == value) is not wanted:
                return False
        return self.fields is None or self.fields.matches(self._seen(entry))

    def _seen(self, entry: Entry) -> dict[str, Any]:
        """The object as field selectors see it: some booleans that are absent read as false."""
        value = self.core.read(entry, self.core.registry.storage(self.kind))
        if name := _FALSE_WHEN_ABSENT.get(self.kind.group_kind):
            value.setdefault("spec", {}).setdefault(name, False)
        if self.kind.group_kind == GroupKind("batch", "Job"):
            status = value.get("status") or {}
            value["status"] = {**status, "successful": status.get("succeeded", 0)}
        return value


def select(core: Core, kind: Kind, query: Mapping[str, str]) -> Selection:
    """Of `labelSelector` and `fieldSelector`. Raises Refusal (400)."""
    labels, fields = None, None
    plain: list[tuple[str, str, bool]] = []
    try:
        if text := query.get("labelSelector"):
            labels = LabelSelector.parse(text)
        if text := query.get("fieldSelector"):
            fields = FieldSelector.parse(text)
    except ValueError as error:
        raise bad_request(str(error)) from None
    for condition in fields.conditions if fields else ():
        path = condition[0]
        if path in _ALWAYS or (path == "name" and kind.group_kind == GroupKind("", "Namespace")):
            plain.append(condition)
        elif path not in FIELDS.get(kind.group_kind, ()) and f".{path}" not in kind.selectable:
            raise bad_request(f"field label not supported: {path}")
    if fields and len(plain) == len(fields.conditions):
        fields = None
    return Selection(core, kind, labels, tuple(plain), fields)
