"""The columns of every kind that has more to show than its name and age."""

from collections.abc import Mapping
from typing import Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.tables import cluster, network, pods, workloads
from reconciler.sandbox.tables.column import AGE, NAME, Column

COLUMNS: Final[Mapping[GroupKind, tuple[Column, ...]]] = {
    GroupKind("", "Pod"): pods.COLUMNS,
    **workloads.COLUMNS,
    **network.COLUMNS,
    **cluster.COLUMNS,
}
DEFAULT: Final = (NAME, AGE)
