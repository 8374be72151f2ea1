"""Green never too early, and a word on what is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster.health.assess import assess
from reconciler.model.health import Status

H, P, D, S = Status.HEALTHY, Status.PROGRESSING, Status.DEGRADED, Status.SUSPENDED


def obj(kind: str, spec: Any = None, status: Any = None, generation: int = 2) -> dict[str, Any]:
    group, _, name = kind.rpartition("/")
    made: dict[str, Any] = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": name,
        "metadata": {"name": "x", "generation": generation},
    }
    if spec is not None:
        made["spec"] = spec
    if status is not None:
        made["status"] = status
    return made


def true(kind: str, reason: str = "", message: str = "", value: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": value, "reason": reason, "message": message}


def replicas(there: int, updated: int, available: int, **more: Any) -> dict[str, Any]:
    counts = {"replicas": there, "updatedReplicas": updated, "availableReplicas": available, "readyReplicas": available}
    return {"observedGeneration": 2, **counts, **more}


LATE = [true("Progressing", "ProgressDeadlineExceeded", "has timed out", "False")]
QUOTA = [true("ReplicaFailure", "FailedCreate", "exceeded quota")]

CASES = [
    # Deployment
    ("apps/Deployment", {"replicas": 3}, replicas(3, 3, 3), H, "3 of 3 replicas ready"),
    ("apps/Deployment", {"replicas": 3}, replicas(3, 3, 2), P, "2 of 3 replicas ready"),
    ("apps/Deployment", {"replicas": 3}, replicas(4, 3, 3), P, "1 old replicas are still running"),
    ("apps/Deployment", {"replicas": 3}, replicas(3, 1, 3), P, "1 of 3 replicas updated"),
    (
        "apps/Deployment",
        {"replicas": 3},
        replicas(3, 0, 3, conditions=QUOTA),
        P,
        "0 of 3 replicas updated: exceeded quota",
    ),
    ("apps/Deployment", {"replicas": 3}, replicas(3, 1, 3, conditions=LATE), D, "has timed out"),
    ("apps/Deployment", {"replicas": 3}, replicas(3, 3, 3, observedGeneration=1), P, "waiting for its controller"),
    ("apps/Deployment", {"replicas": 3}, None, P, "waiting for its controller"),
    ("apps/Deployment", {}, replicas(1, 1, 1), H, "1 of 1 replicas ready"),
    ("apps/Deployment", {"replicas": 0}, {"observedGeneration": 2}, H, "scaled to 0"),
    ("apps/Deployment", {"replicas": 0}, replicas(1, 0, 0), P, "1 old replicas"),
    ("apps/Deployment", {"replicas": 3, "paused": True}, replicas(3, 1, 3), S, "paused"),
    # StatefulSet
    ("apps/StatefulSet", {"replicas": 2}, replicas(2, 2, 2, currentRevision="a", updateRevision="a"), H, "2 of 2"),
    ("apps/StatefulSet", {"replicas": 2}, replicas(2, 2, 1, currentRevision="a", updateRevision="a"), P, "1 of 2"),
    (
        "apps/StatefulSet",
        {"replicas": 2},
        replicas(2, 1, 2, currentRevision="a", updateRevision="b"),
        P,
        "1 of 2 replicas updated",
    ),
    (
        "apps/StatefulSet",
        {"replicas": 2},
        replicas(3, 2, 2, currentRevision="a", updateRevision="a"),
        P,
        "1 replicas have yet to go",
    ),
    (
        "apps/StatefulSet",
        {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
        replicas(3, 1, 3, currentRevision="a", updateRevision="b"),
        H,
        "3 of 3",
    ),
    (
        "apps/StatefulSet",
        {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
        replicas(2, 0, 2, currentRevision="a", updateRevision="b"),
        H,
        "2 of 2",
    ),
    ("apps/StatefulSet", {"replicas": 2}, None, P, "waiting for its controller"),
    # DaemonSet
    (
        "apps/DaemonSet",
        {},
        {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3},
        H,
        "ready on 3 of 3 nodes",
    ),
    (
        "apps/DaemonSet",
        {},
        {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 1, "numberAvailable": 3},
        P,
        "1 of 3 nodes updated",
    ),
    (
        "apps/DaemonSet",
        {"updateStrategy": {"type": "OnDelete"}},
        {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberAvailable": 2},
        P,
        "ready on 2 of 3 nodes",
    ),
    ("apps/DaemonSet", {}, {"observedGeneration": 2}, H, "no node"),
    ("apps/DaemonSet", {}, None, P, "waiting for its controller"),
    # Job, CronJob
    ("batch/Job", {}, {"conditions": [true("Complete")]}, H, "completed"),
    ("batch/Job", {}, {"conditions": [true("Failed", "BackoffLimitExceeded", "too many")]}, D, "failed: too many"),
    ("batch/Job", {}, {"conditions": [true("Complete", value="False")], "active": 1}, P, "0 of 1 completed, 1 running"),
    (
        "batch/Job",
        {"completions": 4},
        {"succeeded": 1, "active": 2, "failed": 1},
        P,
        "1 of 4 completed, 2 running, 1 failed",
    ),
    ("batch/Job", {"suspend": True}, {}, S, "suspended"),
    ("batch/Job", {}, None, P, "0 of 1 completed"),
    ("batch/CronJob", {}, None, H, "has not run yet"),
    ("batch/CronJob", {}, {"lastScheduleTime": "2026-01-01T03:00:00Z"}, H, "last run 2026-01-01T03:00:00Z"),
    ("batch/CronJob", {"suspend": True}, None, S, "suspended"),
    # Pod
    ("Pod", {}, {"phase": "Running", "conditions": [true("Ready")]}, H, "ready"),
    ("Pod", {}, {"phase": "Succeeded"}, H, "done"),
    (
        "Pod",
        {},
        {"phase": "Pending", "conditions": [true("PodScheduled", "Unschedulable", "0/3 nodes", "False")]},
        P,
        "no node takes it: 0/3 nodes",
    ),
    (
        "Pod",
        {},
        {
            "phase": "Pending",
            "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        },
        D,
        "web: ImagePullBackOff",
    ),
    (
        "Pod",
        {},
        {
            "phase": "Pending",
            "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}],
        },
        P,
        "web: ContainerCreating",
    ),
    (
        "Pod",
        {},
        {
            "phase": "Failed",
            "containerStatuses": [{"name": "web", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}],
        },
        D,
        "web: Error (exit code 3)",
    ),
    ("Pod", {}, {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, D, "low on memory"),
    (
        "Pod",
        {},
        {"phase": "Running", "conditions": [true("Ready", "ContainersNotReady", "not yet", "False")]},
        P,
        "not yet",
    ),
    ("Pod", {}, None, P, "not started"),
    # volumes, network
    ("PersistentVolumeClaim", {}, {"phase": "Bound"}, H, "bound"),
    (
        "PersistentVolumeClaim",
        {},
        {"phase": "Bound", "conditions": [true("Resizing", message="growing")]},
        P,
        "growing",
    ),
    ("PersistentVolumeClaim", {}, {"phase": "Lost"}, D, "lost"),
    ("PersistentVolumeClaim", {}, {"phase": "Pending"}, P, "not bound yet"),
    ("Service", {"type": "ClusterIP"}, {"loadBalancer": {}}, H, ""),
    ("Service", {"type": "LoadBalancer"}, {"loadBalancer": {}}, P, "waiting for the load balancer"),
    ("Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}, H, "192.0.2.1"),
    ("networking.k8s.io/Ingress", {}, {}, H, "no address"),
    ("networking.k8s.io/Ingress", {}, {"loadBalancer": {"ingress": [{"hostname": "lb"}]}}, H, "lb"),
    # API
    (
        "apiextensions.k8s.io/CustomResourceDefinition",
        {},
        {"conditions": [true("Established"), true("NamesAccepted")]},
        H,
        "",
    ),
    ("apiextensions.k8s.io/CustomResourceDefinition", {}, None, P, "not established"),
    (
        "apiextensions.k8s.io/CustomResourceDefinition",
        {},
        {"conditions": [true("NamesAccepted", "PluralConflict", "taken", "False")]},
        D,
        "taken",
    ),
    ("Namespace", {}, {"phase": "Active"}, H, ""),
    ("Namespace", {}, {"phase": "Terminating"}, P, "terminating"),
    # anything else
    ("ConfigMap", None, None, H, ""),
    (
        "example.com/Widget",
        {},
        {"observedGeneration": 1, "conditions": [true("Ready")]},
        P,
        "waiting for its controller",
    ),
    ("example.com/Widget", {}, {"observedGeneration": 2, "conditions": [true("Ready")]}, H, ""),
    (
        "example.com/Widget",
        {},
        {"conditions": [{**true("Ready"), "observedGeneration": 1}]},
        P,
        "waiting for its controller",
    ),
    ("example.com/Widget", {}, {"conditions": [true("Ready", message="no DNS yet", value="False")]}, P, "no DNS yet"),
    ("example.com/Widget", {}, {"conditions": [true("Ready", value="Unknown")]}, P, "Ready is Unknown"),
    ("example.com/Widget", {}, {"conditions": [true("Ready"), true("Stalled", message="gave up")]}, D, "gave up"),
    ("example.com/Widget", {}, {"conditions": [true("Ready"), true("Reconciling", message="busy")]}, P, "busy"),
]


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected", "message"),
    CASES,
    ids=[f"{n}-{case[0]}-{case[3]}" for n, case in enumerate(CASES)],
)
def test_health(kind: str, spec: Any, status: Any, expected: Status, message: str) -> None:
    found = assess(obj(kind, spec, status))
    assert found.status is expected
    assert message in found.message


@pytest.mark.parametrize("kind", sorted({case[0] for case in CASES}))
def test_what_is_being_deleted_is_not_ready(kind: str) -> None:
    deleted = next(obj(*case[:3]) for case in CASES if case[0] == kind and case[3] is H)
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not assess(deleted).ready


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "True", "Ready", "Bound"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["conditions", "type", "status", "replicas", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(sorted({case[0] for case in CASES})),
    conditions=st.lists(JSON, max_size=3),
    fields=st.dictionaries(st.sampled_from(["phase", "replicas", "observedGeneration", "active"]), JSON),
)
def test_no_status_of_a_custom_shape_breaks_it(kind: str, conditions: list[Any], fields: dict[str, Any]) -> None:
    assert assess(obj(kind, {}, {"conditions": conditions, **fields})).status in Status
    assert assess(obj(kind, None, None)).status in Status


@given(
    wanted=st.integers(0, 5),
    there=st.integers(0, 9),
    updated=st.integers(0, 9),
    available=st.integers(0, 9),
    seen=st.integers(0, 3),
)
def test_a_healthy_deployment_has_nothing_left_to_do(
    wanted: int, there: int, updated: int, available: int, seen: int
) -> None:
    found = assess(
        obj("apps/Deployment", {"replicas": wanted}, replicas(there, updated, available, observedGeneration=seen))
    )
    if found.status is H:
        assert seen >= 2
        assert updated >= wanted
        assert available >= wanted
        assert there <= updated


SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rolled_out(available: int, *, reason: str = "NewReplicaSetAvailable", **spec: Any) -> dict[str, Any]:
    """A Deployment of three whose pods have been missing since SINCE."""
    missing = true("Available", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", "False")
    missing["lastTransitionTime"] = SINCE.isoformat().replace("+00:00", "Z")
    conditions = [true("Progressing", reason), missing]
    return obj("apps/Deployment", {"replicas": 3, **spec}, replicas(3, 3, available, conditions=conditions))


@pytest.mark.parametrize(
    ("deployment", "patience"),
    [
        (rolled_out(0), 60),
        (rolled_out(0, progressDeadlineSeconds=30), 30),
        (rolled_out(1), 600),
        (rolled_out(1, progressDeadlineSeconds=30), 30),
    ],
)
def test_pods_that_die_after_a_finished_roll_out_are_an_outage_after_a_while(
    deployment: dict[str, Any], patience: int
) -> None:
    left = deployment["status"]["availableReplicas"]
    assert assess(deployment, SINCE + timedelta(seconds=patience - 1)).status is P
    health = assess(deployment, SINCE + timedelta(seconds=patience))
    assert health.status is D
    assert health.message.startswith(f"{left} of 3 replicas ready long after the roll-out had finished: ")
    assert health.message.endswith("minimum availability")
    assert assess(deployment).status is P, "who waits, waits on: a scaled Deployment looks the same at first"


def test_a_roll_out_on_its_way_is_none() -> None:
    assert assess(rolled_out(0, reason="ReplicaSetUpdated"), SINCE + timedelta(days=1)).status is P


def test_enough_replicas_are_none_though_one_is_missing() -> None:
    one = obj("apps/Deployment", {"replicas": 9}, replicas(9, 9, 8, conditions=[true("Available")]))
    assert assess(one, SINCE + timedelta(days=1)).status is P
