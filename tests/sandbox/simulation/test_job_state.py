"""What a Job should do next."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.times import stamp
from reconciler.sandbox.controllers.conditions import find
from reconciler.sandbox.controllers.job_state import Step, expires_in, next_step, parse_spans, spans

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": spec.pop("restartPolicy", "Never"), "containers": [{"name": "main"}]}}
    return {
        "metadata": {"namespace": "shop", "name": "migrate", "uid": "u1"},
        "spec": {"completions": 1, "parallelism": 1, "template": template, **spec},
        "status": status or {},
    }


def pod(
    name: str, phase: str = "Running", *, ago: float = 0, code: int = 0, index: int | None = None
) -> dict[str, Any]:
    ended = stamp(NOW - timedelta(seconds=ago))
    state = {"terminated": {"exitCode": code, "finishedAt": ended}} if phase in ("Succeeded", "Failed") else {}
    notes = {} if index is None else {"batch.kubernetes.io/job-completion-index": str(index)}
    return {
        "metadata": {"namespace": "shop", "name": name, "creationTimestamp": ended, "annotations": notes},
        "spec": {},
        "status": {"phase": phase, "containerStatuses": [{"name": "main", "restartCount": 0, "state": state}]},
    }


def condition(step: Step, kind: str) -> dict[str, Any]:
    return find(step.status["conditions"], kind) or {}


def test_it_starts_as_many_as_may_run_at_once() -> None:
    step = next_step(job(completions=5, parallelism=3), [], NOW)
    assert step.create == (None, None, None)
    assert step.status["startTime"] == stamp(NOW)


def test_it_starts_no_more_than_are_still_wanted() -> None:
    pods = [pod("a", "Succeeded", ago=9), pod("b", "Succeeded", ago=9)]
    assert next_step(job(completions=3, parallelism=3), pods, NOW).create == (None,)


def test_it_is_complete_when_enough_have_succeeded() -> None:
    step = next_step(job(), [pod("a", "Succeeded")], NOW)
    assert condition(step, "Complete")["status"] == "True"
    assert step.status["completionTime"] == stamp(NOW)
    assert step.status["succeeded"] == 1


def test_without_completions_one_success_ends_it_once_the_rest_have_ended() -> None:
    work = job(completions=None, parallelism=2)
    assert next_step(work, [pod("a", "Succeeded"), pod("b")], NOW).create == ()
    assert condition(next_step(work, [pod("a", "Succeeded"), pod("b", "Succeeded")], NOW), "Complete")


def test_a_failure_is_followed_by_a_growing_pause() -> None:
    first = next_step(job(), [pod("a", "Failed", ago=4)], NOW)
    assert (first.create, first.again) == ((), 6)
    second = next_step(job(), [pod("a", "Failed", ago=40), pod("b", "Failed", ago=15)], NOW)
    assert (second.create, second.again) == ((), 5)
    assert next_step(job(), [pod("a", "Failed", ago=10)], NOW).create == (None,)


def test_too_many_failures_end_it() -> None:
    pods = [pod("a", "Failed", ago=50), pod("b", "Failed", ago=20), pod("c")]
    step = next_step(job(backoffLimit=1, parallelism=2, completions=2), pods, NOW)
    assert condition(step, "Failed")["reason"] == "BackoffLimitExceeded"
    assert [entry["metadata"]["name"] for entry in step.delete] == ["c"]
    assert "completionTime" not in step.status


def test_restarts_in_place_count_when_the_policy_is_on_failure() -> None:
    running = pod("a")
    running["status"]["containerStatuses"][0]["restartCount"] = 2
    step = next_step(job(backoffLimit=2, restartPolicy="OnFailure"), [running], NOW)
    assert condition(step, "Failed")["reason"] == "BackoffLimitExceeded"


def test_a_deadline_ends_it_and_is_waited_for() -> None:
    started = {"startTime": stamp(NOW - timedelta(seconds=50))}
    assert next_step(job(started, activeDeadlineSeconds=60), [pod("a")], NOW).again == 10
    step = next_step(job(started, activeDeadlineSeconds=50), [pod("a")], NOW)
    assert condition(step, "Failed")["reason"] == "DeadlineExceeded"


def test_suspending_deletes_its_pods_and_resuming_starts_the_clock_again() -> None:
    started = {"startTime": stamp(NOW - timedelta(seconds=50)), "active": 1}
    step = next_step(job(started, suspend=True), [pod("a")], NOW)
    assert [entry["metadata"]["name"] for entry in step.delete] == ["a"]
    assert condition(step, "Suspended")["status"] == "True"
    assert "startTime" not in step.status
    resumed = next_step(job(step.status), [], NOW)
    assert condition(resumed, "Suspended")["status"] == "False"
    assert resumed.status["startTime"] == stamp(NOW)
    assert resumed.create == (None,)


def test_an_exit_code_can_end_it_at_once_or_not_count() -> None:
    def policy(action: str) -> dict[str, Any]:
        rule = {"action": action, "onExitCodes": {"operator": "In", "values": [42]}}
        return job(backoffLimit=0, podFailurePolicy={"rules": [rule]})

    failed = [pod("a", "Failed", ago=60, code=42)]
    fatal = next_step(policy("FailJob"), failed, NOW)
    assert condition(fatal, "Failed")["reason"] == "PodFailurePolicy"
    assert "exit code 42" in condition(fatal, "Failed")["message"]
    assert next_step(policy("Ignore"), failed, NOW).create == (None,)
    assert condition(next_step(policy("Count"), failed, NOW), "Failed")["reason"] == "BackoffLimitExceeded"


def test_an_indexed_job_fills_the_gaps() -> None:
    work = job(completions=4, parallelism=2, completionMode="Indexed")
    pods = [pod("a", "Succeeded", index=1, ago=9), pod("b", index=0)]
    step = next_step(work, pods, NOW)
    assert step.create == (2,)
    assert step.status["completedIndexes"] == "1"


def test_a_finished_job_expires() -> None:
    done = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": stamp(NOW)}]}
    assert expires_in(job(done, ttlSecondsAfterFinished=30), NOW + timedelta(seconds=10)) == 20
    assert expires_in(job(done), NOW) is None
    assert expires_in(job(ttlSecondsAfterFinished=30), NOW) is None


@given(st.sets(st.integers(0, 40)))
def test_spans_can_be_read_back(indexes: set[int]) -> None:
    assert parse_spans(spans(indexes)) == indexes


def test_spans_are_written_as_kubernetes_does() -> None:
    assert spans({1, 3, 4, 5, 7, 8}) == "1,3-5,7,8"
