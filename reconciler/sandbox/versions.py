"""The same object in another version of its kind. Custom resources change nothing but their apiVersion."""

import json
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind

Value = dict[str, Any]

_METRICS: Final = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR: Final = "autoscaling.alpha.kubernetes.io/behavior"


def convert(value: Value, to: GroupVersionKind) -> Value:
    """Of a copy that the caller owns; what it holds is used again."""
    before = value.get("apiVersion")
    value["apiVersion"] = to.api_version
    if to.kind == "HorizontalPodAutoscaler" and before != to.api_version:
        return _autoscaler_to_v1(value) if to.version == "v1" else _autoscaler_to_v2(value)
    return value


def _cpu(metric: Value) -> bool:
    resource = metric.get("resource") or {}
    return (
        metric.get("type") == "Resource"
        and resource.get("name") == "cpu"
        and "averageUtilization" in resource["target"]
    )


def _autoscaler_to_v1(value: Value) -> Value:
    spec = dict(value.get("spec") or {})
    metrics = spec.pop("metrics", None) or []
    behavior = spec.pop("behavior", None)
    annotations = dict(value["metadata"].get("annotations") or {})
    others = []
    for metric in metrics:
        if _cpu(metric) and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = metric["resource"]["target"]["averageUtilization"]
        else:
            others.append(metric)
    if others:
        annotations[_METRICS] = json.dumps(others, separators=(",", ":"))
    if behavior:
        annotations[_BEHAVIOR] = json.dumps(behavior, separators=(",", ":"))
    status = dict(value.get("status") or {})
    for metric in status.pop("currentMetrics", None) or ():
        current = (metric.get("resource") or {}).get("current") or {}
        if "averageUtilization" in current:
            status["currentCPUUtilizationPercentage"] = current["averageUtilization"]
    status.pop("conditions", None)
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    metadata = {**value["metadata"], "annotations": annotations} if annotations else value["metadata"]
    return {**value, "metadata": metadata, "spec": spec, "status": status}


def _autoscaler_to_v2(value: Value) -> Value:
    spec = dict(value.get("spec") or {})
    annotations = dict(value["metadata"].get("annotations") or {})
    metrics = json.loads(annotations.pop(_METRICS, "[]"))
    behavior = json.loads(annotations.pop(_BEHAVIOR, "null"))
    if (target := spec.pop("targetCPUUtilizationPercentage", None)) is not None:
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}
        metrics.append({"type": "Resource", "resource": cpu})
    if metrics:
        spec["metrics"] = metrics
    if behavior:
        spec["behavior"] = behavior
    status = dict(value.get("status") or {})
    status.pop("currentCPUUtilizationPercentage", None)
    status.setdefault("currentMetrics", None)
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    metadata = {key: part for key, part in value["metadata"].items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {**value, "metadata": metadata, "spec": spec, "status": status}
