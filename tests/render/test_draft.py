"""What a planner is told of a workload, before anything is filled in."""

from typing import Any

import pytest

from reconciler.kube.names import Identity
from reconciler.model.filled import Draft
from reconciler.model.spec import Specs
from reconciler.render.draft import Drafter

WEB = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: example.com/web:1
  %s
"""
TASK = """\
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: migrate, namespace: shop}
spec: {image: example.com/web:1, command: [migrate], parallelism: 2}
"""
NIGHTLY = TASK.replace("parallelism: 2", 'run: schedule, schedule: "0 3 * * *"')
PLAIN = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: example.com/db:1}]}
"""


def drafts(specs: Specs, **pools: Any) -> dict[str, Draft]:
    return {identity.name: draft for identity, draft in Drafter().drafts(specs, pools).items()}


def web(specs: Any, stated: str = "") -> Draft:
    return drafts(specs(WEB % stated))["web"]


def test_what_is_left_open_is_told_apart_from_what_is_stated(specs: Any) -> None:
    open_ = web(specs)
    assert open_.workload == Identity("apps", "Deployment", "shop", "web")
    assert (open_.replicas, open_.scale, open_.requests, open_.spread) == (None, None, frozenset(), False)
    stated = web(specs, "replicas: 2\n  resources: {requests: {cpu: 1}}\n  placement: {spread: node}")
    assert (stated.replicas, stated.requests, stated.spread) == (2, frozenset({"cpu"}), True)


def test_a_task_runs_so_many_pods_at_one_time_in_a_job_of_its_hash(specs: Any) -> None:
    draft = drafts(specs(TASK))["migrate"]
    assert draft.workload.kind == "Job"
    assert draft.workload.name.startswith("migrate-")
    assert draft.replicas == 2
    assert drafts(specs(NIGHTLY)) == {}, "the pods of a scheduled Task come and go"


def test_a_plain_workload_takes_room_and_leaves_nothing_open(specs: Any) -> None:
    draft = drafts(specs(PLAIN))["db"]
    assert (draft.replicas, draft.plannable) == (3, False)
    assert draft.template["spec"]["containers"][0]["name"] == "db"


def test_a_workload_in_shares_is_one_draft_for_each_pool(specs: Any) -> None:
    shared = "replicas: 10\n  placement: {zones: [a], shares: {on-demand: 30%, spot: 70%}}"
    found = drafts(specs(WEB % shared), spot={"tier": "s"}, **{"on-demand": {"tier": "o"}})
    assert list(found) == ["web-on-demand", "web-spot"]
    assert [draft.workload.name for draft in found.values()] == ["web-on-demand", "web-spot"]
    assert [draft.template["spec"]["nodeSelector"] for draft in found.values()] == [{"tier": "o"}, {"tier": "s"}]
    assert {(draft.whole.name, draft.replicas) for draft in found.values()} == {("web", 10)}
    other = drafts(specs(WEB % "placement: {zones: [a]}"))["web"]
    assert {draft.hash for draft in found.values()} == {other.hash}, "rule 19: shares are no part of the pods"
    bare = drafts(specs(WEB % "placement: {shares: {a: 50%, b: 50%}}"))
    assert {draft.hash for draft in bare.values()} == {web(specs).hash}


@pytest.mark.parametrize("around", ["replicas: 3", "expose: [{port: 80}]", "rollout: {maxSurge: 1}"])
def test_rule_19_what_is_around_the_pods_is_no_part_of_their_hash(specs: Any, around: str) -> None:
    assert web(specs, around).hash == web(specs).hash


@pytest.mark.parametrize("inside", ["env: {A: b}", "placement: {zones: [a]}", "resources: {requests: {cpu: 1}}"])
def test_rule_19_what_is_stated_of_the_pods_is(specs: Any, inside: str) -> None:
    assert web(specs, inside).hash != web(specs).hash


def test_a_pool_is_the_label_of_its_nodes_where_none_is_configured(specs: Any) -> None:
    given = specs(WEB % "placement: {pool: general}")
    assert drafts(given)["web"].template["spec"]["nodeSelector"] == {"reconciler.dev/pool": "general"}
    found = drafts(given, general={"tier": "g"})["web"]
    assert found.template["spec"]["nodeSelector"] == {"tier": "g"}
    assert drafts(given, other={"tier": "o"}) == {}, "it cannot be rendered, so it takes no room"


def test_only_what_changed_is_drafted_anew(specs: Any) -> None:
    drafter = Drafter()
    first = drafter.drafts(specs("\n---\n".join([WEB % "", PLAIN])), {})
    second = drafter.drafts(specs("\n---\n".join([WEB % "replicas: 2", PLAIN])), {})
    same = [identity.name for identity in first if first[identity] is second[identity]]
    assert same == ["db"]
