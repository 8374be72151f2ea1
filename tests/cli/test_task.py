"""`reconciler task retry`."""

import pytest

TASK = """\
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: migrate}
spec: {image: "registry.example.com/migrate:1", command: [migrate], run: onChange}
"""


@pytest.fixture
def on(cli, whole_cluster):
    """Runs a verb on a cluster in which pods run."""
    return lambda *words: cli(*words, "--kubeconfig", whole_cluster)


def jobs(on):
    """The Jobs that status shows."""
    return [line.split()[0] for line in on("status").out.splitlines() if line.strip().startswith("Job/")]


def test_a_task_that_ran_runs_again_where_it_is_asked_for(on, shop):
    folder = shop({"migrate.yaml": TASK})
    assert on("apply", folder).code == 0
    (job,) = jobs(on)
    asked = on("task", "retry", "shop", "migrate")
    assert (asked.code, asked.err) == (0, "")
    assert asked.out == f"{job} is made again by the next pass of the daemon, or of `reconciler apply`\n"
    assert jobs(on) == []
    again = on("apply", folder)
    assert again.code == 0
    assert f"✓ {job}  created\n" in again.out
    assert jobs(on) == [job]


def test_a_job_that_runs_is_left_alone(on, shop):
    slow = "  template: {metadata: {annotations: {sandbox.reconciler.dev/duration: 10m}}}\n"
    head, _, _ = TASK.partition("spec:")
    spec = f"{head}spec:\n  image: registry.example.com/migrate:1\n  command: [migrate]\n  run: onChange\n{slow}"
    assert on("apply", shop({"migrate.yaml": spec}), "--no-wait").code == 0
    asked = on("task", "retry", "shop", "default/migrate")
    assert asked.code == 1
    assert "has not ended, and a Task is not run beside itself\n" in asked.err
    assert len(jobs(on)) == 1


def test_a_task_that_never_was_is_an_error(on, shop):
    assert on("apply", shop({"migrate.yaml": TASK})).code == 0
    asked = on("task", "retry", "shop", "seed")
    assert asked.code == 1
    assert asked.err.startswith("source shop has made no Job for seed\n")
