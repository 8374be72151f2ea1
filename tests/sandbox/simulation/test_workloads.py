"""StatefulSets, DaemonSets, Jobs, CronJobs and what goes with Services and budgets."""

from typing import Any

import pytest

from reconciler.sandbox.client import (
    AUTOSCALERS,
    BUDGETS,
    CLAIMS,
    CONFIG_MAPS,
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    INGRESSES,
    JOBS,
    NODES,
    PERSISTENT_VOLUMES,
    PODS,
    REVISIONS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    STORAGE_CLASSES,
)
from reconciler.sandbox.nodes import Pool


def claim(name: str, **spec: Any) -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"namespace": "shop", "name": name}, "spec": wanted}


# StatefulSets


def stateful(make: Any, replicas: int = 3, **spec: Any) -> dict[str, Any]:
    templates = [{"metadata": {"name": "data"}, "spec": claim("data")["spec"]}]
    return make.workload("db", replicas, spec={"serviceName": "db", "volumeClaimTemplates": templates, **spec})


def test_a_stateful_set_comes_up_in_order_with_its_claims(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(STATEFUL_SETS, stateful(make))
        seen: list[str] = []

        async def done() -> bool:
            for pod in await world.pods():
                if pod["metadata"]["name"] not in seen:
                    seen.append(pod["metadata"]["name"])
            stored = await world.get(STATEFUL_SETS, "db")
            return (stored.get("status") or {}).get("readyReplicas") == 3

        await world.until(done)
        assert seen == ["db-0", "db-1", "db-2"]
        assert [entry["metadata"]["name"] for entry in await world.objects(CLAIMS)] == [
            "data-db-0",
            "data-db-1",
            "data-db-2",
        ]
        stored = await world.status(STATEFUL_SETS, "db", updatedReplicas=3, currentReplicas=3)
        assert stored["status"]["currentRevision"] == stored["status"]["updateRevision"]
        pod = await world.get(PODS, "db-1")
        assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")

    simulate(scenario)


def test_a_stateful_set_goes_down_in_reverse_and_keeps_its_claims(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(STATEFUL_SETS, stateful(make))
        await world.status(STATEFUL_SETS, "db", readyReplicas=3)
        await world.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 1}})
        await world.gone(PODS, "db-2")
        assert await world.get(PODS, "db-1") is not None
        await world.gone(PODS, "db-1")
        assert len(await world.objects(CLAIMS)) == 3
        await world.status(STATEFUL_SETS, "db", replicas=1, readyReplicas=1)

    simulate(scenario)


def test_a_stateful_set_updates_from_the_highest_down_to_the_partition(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        strategy = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
        await world.create(STATEFUL_SETS, stateful(make, **strategy))
        await world.status(STATEFUL_SETS, "db", readyReplicas=3)
        await world.patch(STATEFUL_SETS, "db", {"spec": {"template": make.template("db", image="db:2")}})
        await world.status(STATEFUL_SETS, "db", updatedReplicas=2, readyReplicas=3)
        images = [pod["spec"]["containers"][0]["image"] for pod in await world.pods()]
        assert images == ["web:1", "db:2", "db:2"]
        await world.delete(PODS, "db-0")
        await world.status(STATEFUL_SETS, "db", readyReplicas=3, within=10)
        assert (await world.get(PODS, "db-0"))["spec"]["containers"][0]["image"] == "web:1"
        await world.patch(STATEFUL_SETS, "db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
        stored = await world.status(STATEFUL_SETS, "db", updatedReplicas=3, currentReplicas=3, readyReplicas=3)
        assert stored["status"]["currentRevision"] == stored["status"]["updateRevision"]
        assert len(await world.objects(REVISIONS)) == 2

    simulate(scenario)


def test_parallel_management_does_not_wait(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        never = {"sandbox.reconciler.dev/behavior": "never-ready"}
        body = make.workload("db", 3, spec={"serviceName": "db", "podManagementPolicy": "Parallel"}, annotations=never)
        await world.create(STATEFUL_SETS, body)
        await world.status(STATEFUL_SETS, "db", replicas=3, within=5)

    simulate(scenario)


# DaemonSets


def test_a_daemon_set_runs_on_every_node_that_suits_it(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DAEMON_SETS, _daemon(make))
        stored = await world.status(DAEMON_SETS, "agent", desiredNumberScheduled=2, numberAvailable=2)
        assert stored["status"]["updatedNumberScheduled"] == 2
        assert sorted(pod["spec"]["nodeName"] for pod in await world.pods()) == ["general-1", "general-2"]
        await world.patch(NODES, "general-2", {"spec": {"unschedulable": True}})
        world.simulation.add_nodes([Pool("more", 1)])
        await world.status(DAEMON_SETS, "agent", desiredNumberScheduled=3, numberAvailable=3)

    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    simulate(scenario, nodes=[Pool("general", 2), Pool("gpu", 1, taints=[taint])])


def test_a_daemon_set_updates_one_node_after_the_other(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DAEMON_SETS, _daemon(make))
        await world.status(DAEMON_SETS, "agent", numberAvailable=3)
        await world.patch(DAEMON_SETS, "agent", {"spec": {"template": make.template("agent", image="agent:2")}})
        lowest = 3

        async def done() -> bool:
            nonlocal lowest
            stored = await world.get(DAEMON_SETS, "agent")
            status = stored["status"]
            lowest = min(lowest, status.get("numberAvailable", 0))
            current = status["observedGeneration"] == stored["metadata"]["generation"]
            return current and status.get("updatedNumberScheduled") == 3 == status.get("numberAvailable")

        await world.until(done)
        assert lowest == 2

    simulate(scenario)


def _daemon(make: Any) -> dict[str, Any]:
    body = make.workload("agent")
    del body["spec"]["replicas"]
    return body


# Jobs


def test_a_job_runs_to_completion(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(JOBS, make.job("migrate", spec={"completions": 4, "parallelism": 2}))
        stored = await world.status(JOBS, "migrate", succeeded=4, active=0, within=20)
        assert (await world.condition(JOBS, "migrate", "Complete"))["reason"] == "CompletionsReached"
        assert stored["status"]["startTime"] < stored["status"]["completionTime"]
        assert all(pod["status"]["phase"] == "Succeeded" for pod in await world.pods())

    simulate(scenario)


def test_a_failing_job_is_retried_with_pauses_and_then_given_up(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        started = world.clock.monotonic()
        await world.create(JOBS, make.job("migrate", image="app:fail", spec={"backoffLimit": 2}))
        failed = await world.condition(JOBS, "migrate", "Failed", within=120)
        assert failed["reason"] == "BackoffLimitExceeded"
        assert 30 < world.clock.monotonic() - started < 45  # pauses of 10 and 20 seconds
        assert (await world.get(JOBS, "migrate"))["status"]["failed"] == 3
        pods = await world.pods()
        assert [pod["status"]["phase"] for pod in pods] == ["Failed"] * 3
        assert pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1

    simulate(scenario)


def test_a_job_that_takes_too_long_is_stopped(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        slow = {"sandbox.reconciler.dev/duration": "1h"}
        await world.create(JOBS, make.job("slow", annotations=slow, spec={"activeDeadlineSeconds": 20}))
        failed = await world.condition(JOBS, "slow", "Failed", within=30)
        assert failed["reason"] == "DeadlineExceeded"

        async def stopped() -> bool:
            return not await world.pods()

        await world.until(stopped)

    simulate(scenario)


def test_suspending_a_running_job_deletes_its_pods(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        slow = {"sandbox.reconciler.dev/duration": "10s"}
        await world.create(JOBS, make.job("slow", annotations=slow))
        await world.status(JOBS, "slow", active=1, ready=1)
        await world.patch(JOBS, "slow", {"spec": {"suspend": True}})
        await world.condition(JOBS, "slow", "Suspended")

        async def stopped() -> bool:
            return not await world.pods()

        await world.until(stopped)
        await world.patch(JOBS, "slow", {"spec": {"suspend": False}})
        await world.condition(JOBS, "slow", "Complete", within=30)

    simulate(scenario)


def test_a_finished_job_goes_when_its_time_is_up(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(JOBS, make.job("migrate", spec={"ttlSecondsAfterFinished": 30}))
        await world.condition(JOBS, "migrate", "Complete")
        await world.clock.sleep(25)
        assert await world.get(JOBS, "migrate") is not None
        await world.gone(JOBS, "migrate", within=10)
        assert await world.pods() == []

    simulate(scenario)


def test_an_indexed_job_completes_every_index(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed"}
        await world.create(JOBS, make.job("shards", spec=spec))
        stored = await world.status(JOBS, "shards", succeeded=3)
        assert stored["status"]["completedIndexes"] == "0-2"
        assert sorted(pod["spec"]["hostname"] for pod in await world.pods()) == ["shards-0", "shards-1", "shards-2"]

    simulate(scenario)


# CronJobs


def cron(make: Any, schedule: str = "*/5 * * * *", duration: str = "1s", **spec: Any) -> dict[str, Any]:
    job = make.job("nightly", annotations={"sandbox.reconciler.dev/duration": duration})
    metadata = {"namespace": "shop", "name": "nightly"}
    return {"metadata": metadata, "spec": {"schedule": schedule, "jobTemplate": {"spec": job["spec"]}, **spec}}


def test_a_cron_job_starts_jobs_on_time_and_keeps_three(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(CRON_JOBS, cron(make))
        await world.clock.sleep(3600.5)
        stored = await world.get(CRON_JOBS, "nightly")
        assert stored["status"]["lastScheduleTime"] == "2026-01-01T01:00:00Z"
        assert stored["status"]["lastSuccessfulTime"].startswith("2026-01-01T00:55:")
        await world.clock.sleep(60)
        jobs = await world.objects(JOBS)
        assert len(jobs) == 3
        assert (
            jobs[-1]["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
            == "2026-01-01T01:00:00Z"
        )
        assert len(await world.pods()) == 3

    simulate(scenario)


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_what_a_cron_job_does_when_the_last_job_still_runs(simulate: Any, make: Any, policy: str, running: int) -> None:
    async def scenario(world: Any) -> None:
        await world.create(CRON_JOBS, cron(make, duration="1h", concurrencyPolicy=policy))
        await world.clock.sleep(15 * 60 + 5)
        jobs = await world.objects(JOBS)
        assert len(jobs) == running
        assert len((await world.get(CRON_JOBS, "nightly"))["status"]["active"]) == running
        latest = {"Forbid": "00:05", "Replace": "00:15", "Allow": "00:15"}[policy]
        stamp = jobs[-1]["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
        assert latest in stamp

    simulate(scenario)


def test_a_suspended_cron_job_starts_nothing(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(CRON_JOBS, cron(make, suspend=True))
        await world.clock.sleep(3600)
        assert await world.objects(JOBS) == []

    simulate(scenario)


# Services, claims, budgets, autoscalers


def test_a_service_leads_to_its_ready_pods(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        ports = [{"name": "http", "port": 80, "targetPort": "web"}]
        metadata = {"namespace": "shop", "name": "web", "labels": {"team": "checkout"}}
        await world.create(SERVICES, {"metadata": metadata, "spec": {"selector": {"app": "web"}, "ports": ports}})
        container = {"ports": [{"name": "web", "containerPort": 8080}]}
        await world.create(DEPLOYMENTS, make.workload("web", 2, container=container))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.clock.sleep(1)
        endpoints = await world.get(ENDPOINTS, "web")
        (subset,) = endpoints["subsets"]
        assert len(subset["addresses"]) == 2
        assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
        assert endpoints["metadata"]["labels"]["team"] == "checkout"
        assert "ownerReferences" not in endpoints["metadata"]
        (piece,) = await world.objects(ENDPOINT_SLICES)
        assert piece["metadata"]["labels"]["team"] == "checkout"
        assert piece["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
        assert piece["metadata"]["ownerReferences"][0]["kind"] == "Service"
        assert [entry["conditions"]["ready"] for entry in piece["endpoints"]] == [True, True]
        await world.delete(SERVICES, "web")
        await world.gone(ENDPOINTS, "web")
        await world.gone(ENDPOINT_SLICES, piece["metadata"]["name"])

    simulate(scenario)


def test_a_claim_is_bound_at_once_or_with_its_first_pod(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        late = {"metadata": {"name": "late"}, "provisioner": "x", "volumeBindingMode": "WaitForFirstConsumer"}
        await world.create(STORAGE_CLASSES, late)
        await world.create(CLAIMS, claim("now"))
        await world.create(CLAIMS, claim("later", storageClassName="late"))
        await world.create(CLAIMS, claim("never", storageClassName="missing"))
        bound = await world.status(CLAIMS, "now", phase="Bound", within=5)
        assert bound["spec"]["storageClassName"] == "standard"
        volume = await world.get(PERSISTENT_VOLUMES, bound["spec"]["volumeName"])
        assert volume["status"]["phase"] == "Bound"
        await world.clock.sleep(30)
        assert (await world.get(CLAIMS, "later"))["status"]["phase"] == "Pending"
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "later"}}]
        await world.create(PODS, make.pod("user", volumes=volumes))
        await world.status(PODS, "user", phase="Running", within=5)
        assert (await world.get(CLAIMS, "later"))["status"]["phase"] == "Bound"
        assert (await world.get(CLAIMS, "never"))["status"]["phase"] == "Pending"
        await world.delete(CLAIMS, "now")
        await world.gone(PERSISTENT_VOLUMES, bound["spec"]["volumeName"])

    simulate(scenario)


def test_a_budget_says_how_many_pods_may_go(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 4))
        spec = {"maxUnavailable": "25%", "selector": {"matchLabels": {"app": "web"}}}
        await world.create(BUDGETS, {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec})
        await world.status(BUDGETS, "web", expectedPods=4, currentHealthy=4, desiredHealthy=3, disruptionsAllowed=1)
        await world.condition(BUDGETS, "web", "DisruptionAllowed")
        await world.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
        await world.status(BUDGETS, "web", expectedPods=0, disruptionsAllowed=0)

    simulate(scenario)


def autoscaler(**spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    wanted = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 6, "metrics": [metric], **spec}
    return {"metadata": {"namespace": "shop", "name": "web"}, "spec": wanted}


def test_an_autoscaler_keeps_its_bounds_and_says_that_it_sees_no_metrics(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 1))
        await world.create(AUTOSCALERS, autoscaler())
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.status(AUTOSCALERS, "web", currentReplicas=2, desiredReplicas=2)
        inactive = await world.condition(AUTOSCALERS, "web", "ScalingActive", "False")
        assert inactive["reason"] == "FailedGetResourceMetric"

    simulate(scenario)


def test_an_autoscaler_follows_the_metrics_it_is_given(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.create(AUTOSCALERS, autoscaler())
        await world.status(DEPLOYMENTS, "web", replicas=6, availableReplicas=6, within=120)

    simulate(scenario, metrics=lambda _kind, _namespace, _name: {"cpu": 90})


def test_an_ingress_and_a_load_balancer_get_an_address(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        metadata = {"namespace": "shop", "name": "web"}
        await world.create(INGRESSES, {"metadata": metadata, "spec": {"defaultBackend": backend}})
        await world.create(SERVICES, {"metadata": metadata, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
        for resource in (INGRESSES, SERVICES):

            async def addressed(resource: Any = resource) -> bool:
                status = (await world.get(resource, "web")).get("status") or {}
                return bool((status.get("loadBalancer") or {}).get("ingress"))

            await world.until(addressed)

    simulate(scenario)


def test_every_namespace_has_a_service_account_and_the_root_certificate(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.clock.sleep(1)
        assert await world.get(SERVICE_ACCOUNTS, "default") is not None
        assert "ca.crt" in (await world.get(CONFIG_MAPS, "kube-root-ca.crt"))["data"]
        await world.delete(SERVICE_ACCOUNTS, "default")

        async def back() -> bool:
            return await world.get(SERVICE_ACCOUNTS, "default") is not None

        await world.until(back)

    simulate(scenario)
