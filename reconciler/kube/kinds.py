"""Kinds that Kubernetes brings along, by the names that they have in more than one place."""

from typing import Final

from reconciler.kube.names import GroupKind

RBAC: Final = "rbac.authorization.k8s.io"

CONFIG_MAP: Final = GroupKind("", "ConfigMap")
NAMESPACE: Final = GroupKind("", "Namespace")
NODE: Final = GroupKind("", "Node")
VOLUME: Final = GroupKind("", "PersistentVolume")
CLAIM: Final = GroupKind("", "PersistentVolumeClaim")
POD: Final = GroupKind("", "Pod")
REPLICATION_CONTROLLER: Final = GroupKind("", "ReplicationController")
QUOTA: Final = GroupKind("", "ResourceQuota")
SECRET: Final = GroupKind("", "Secret")
SERVICE: Final = GroupKind("", "Service")
DEFINITION: Final = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
DAEMON_SET: Final = GroupKind("apps", "DaemonSet")
DEPLOYMENT: Final = GroupKind("apps", "Deployment")
REPLICA_SET: Final = GroupKind("apps", "ReplicaSet")
STATEFUL_SET: Final = GroupKind("apps", "StatefulSet")
AUTOSCALER: Final = GroupKind("autoscaling", "HorizontalPodAutoscaler")
CRON_JOB: Final = GroupKind("batch", "CronJob")
JOB: Final = GroupKind("batch", "Job")
INGRESS: Final = GroupKind("networking.k8s.io", "Ingress")
BUDGET: Final = GroupKind("policy", "PodDisruptionBudget")
PRIORITY_CLASS: Final = GroupKind("scheduling.k8s.io", "PriorityClass")

PRECIOUS: Final = frozenset({NAMESPACE, VOLUME, CLAIM, DEFINITION})
"""Deleting one takes what it holds with it: these are never recreated, and never pruned without an approval."""
