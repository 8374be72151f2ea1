"""Task documents: Jobs and CronJobs."""

from typing import Any

import pytest

TASK = """
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: migrate, namespace: shop}
spec:
  image: web
  command: [./manage, migrate]
%s
---
apiVersion: reconciler.dev/v1
kind: Image
metadata: {name: web, namespace: shop}
spec: {repository: registry.example.com/web, tag: "1"}
"""


def job_name(made: Any) -> str:
    name: str = made.manifest("Job/migrate-").identity.name
    return name


def test_a_task_is_a_job_that_exists_at_most_once(good: Any) -> None:
    made = good(TASK % "  retries: 3\n  timeout: 1h30m\n  completions: 4\n  parallelism: 2")
    manifest = made.manifest("Job/migrate-")
    assert manifest.once
    assert not manifest.suspended
    spec = dict(made.spec("Job/migrate-"))
    template = spec.pop("template")
    assert spec == {"backoffLimit": 3, "activeDeadlineSeconds": 5400, "completions": 4, "parallelism": 2}
    assert template["metadata"]["labels"] == {"reconciler.dev/task": "migrate"}
    assert template["spec"]["restartPolicy"] == "Never"
    assert made.container("Job/migrate-")["image"] == "registry.example.com/web:1"


@pytest.mark.parametrize("around", ["  suspend: true", "  keep: {failed: 1}", "  dependsOn: [Image/web]"])
def test_rule_16_what_is_around_a_task_does_not_run_it_again(good: Any, around: str) -> None:
    assert job_name(good(TASK % around)) == job_name(good(TASK % ""))


@pytest.mark.parametrize(
    ("old", "new"), [("migrate]", "migrate, --all]"), ('tag: "1"', 'tag: "2"'), ("image: web", "image: web@sha256:00")]
)
def test_rule_16_another_spec_or_image_is_another_job(good: Any, old: str, new: str) -> None:
    text = TASK % ""
    assert job_name(good(text.replace(old, new))) != job_name(good(text))


def test_rule_16_another_mounted_file_is_another_job(good: Any) -> None:
    text = TASK % "  files: {/sql: ./sql}"
    assert job_name(good(text, files={"./sql/1": b"a"})) != job_name(good(text, files={"./sql/1": b"b"}))


def test_rule_16_the_hash_does_not_move_between_our_releases(good: Any) -> None:
    """If this fails, every user's migration would run again after an upgrade."""
    assert job_name(good(TASK % "")) == "migrate-8ca0e23e2e"


def test_rule_16_suspend_prevents_the_start(good: Any) -> None:
    """Not by the Job's own suspend: on a Job that runs already it would delete the pods."""
    made = good(TASK % "  suspend: true")
    assert made.manifest("Job/migrate-").suspended
    assert "suspend" not in made.spec("Job/migrate-")


def test_a_long_name_leaves_room_for_the_hash(good: Any) -> None:
    name = "m" * 63
    made = good((TASK % "").replace("name: migrate", f"name: {name}"))
    assert len(made.manifest("Job/mmm").identity.name) == 63


def test_a_schedule_is_a_cron_job(good: Any) -> None:
    made = good(
        TASK
        % """  run: schedule
  schedule: "0 3 * * *"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  keep: {succeeded: 1, failed: 2}
  suspend: true
"""
    )
    manifest = made.manifest("CronJob/migrate")
    assert not manifest.once
    assert not manifest.suspended
    spec = dict(made.spec("CronJob/migrate"))
    assert spec.pop("jobTemplate")["metadata"]["labels"] == {"reconciler.dev/task": "migrate"}
    assert spec == {
        "schedule": "0 3 * * *",
        "timeZone": "Europe/Berlin",
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 2,
        "suspend": True,
    }


def test_a_tasks_pods_are_not_a_services_pods(good: Any) -> None:
    """A Deployment and a Task may have one name; the Service must not send traffic to a migration."""
    web = """---
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: migrate, namespace: shop}
spec: {image: web, expose: [{port: 80}]}"""
    made = good((TASK % "") + web)
    selector = made.spec("Service/migrate")["selector"]
    labels = made.spec("Job/migrate-")["template"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()
