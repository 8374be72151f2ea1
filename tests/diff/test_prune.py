"""Objects that we own and Git no longer states."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from reconciler.diff.mounts import mounted
from reconciler.diff.prune import prune
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import Manifests, Owner
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.snapshot import Revision
from reconciler.model.spec import Document, Keep, Origin, Specs, TaskSpec

REVISION = Revision("0" * 40, "main", "A <a@example.com>", datetime(2026, 1, 1, tzinfo=UTC), "x")
MIGRATE = Identity("reconciler.dev", "Task", "shop", "migrate")


def specs(**parts: Any) -> Specs:
    return Specs(source="shop", revision=REVISION, **{"documents": {}, **parts})


def changed(live: Live, **metadata: Any) -> Live:
    return Live(live.identity, {**live.object, "metadata": {**live.metadata, **metadata}})


def annotated(live: Live, **annotations: str | None) -> Live:
    merged = {**live.annotations, **{f"reconciler.dev/{name}": value for name, value in annotations.items()}}
    return changed(live, annotations={name: value for name, value in merged.items() if value is not None})


def task(**keep: int) -> dict[Identity, Document]:
    spec = TaskSpec(image="web", keep=Keep(**keep))
    return {MIGRATE: Document(MIGRATE, Origin("migrate.yaml", 1, "0"), spec, {}, {}, "")}


def job(bench: Any, name: str, outcome: str | None, *, minute: int = 0, **spec: Any) -> Live:
    live: Live = bench.live(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": "shop", "labels": {"reconciler.dev/task": "migrate"}},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [], **spec.pop("pod", {})}}, **spec},
        }
    )
    if outcome is None:
        return live
    time = f"2026-01-01T00:{minute:02}:00Z"
    conditions = [
        {"type": "SuccessCriteriaMet", "status": "True"},
        {"type": outcome, "status": "True", "lastTransitionTime": time},
    ]
    return Live(live.identity, {**live.object, "status": {"conditions": conditions}})


def decide(bench: Any, owned: Iterable[Live], *, stated: Iterable[Live] = (), **parts: Any) -> dict[str, Change]:
    """The changes by the name of their object."""
    given = {name: parts.pop(name) for name in ("referenced", "moved", "manifests") if name in parts}
    items = {live.identity: bench.manifest(live.object) for live in stated}
    manifests = given.pop("manifests", Manifests(items))
    changes = prune(owned, manifests, specs(**parts), owner=bench.owner, **given)
    return {change.identity.name: change for change in changes}


def test_rule_10_what_left_git_goes_with_preconditions(bench: Any, config_map: Callable[..., Any]) -> None:
    old, new = bench.live(config_map("old")), bench.live(config_map("new"))
    assert decide(bench, [old, new], stated=[new]) == {
        "old": Change(old.identity, Action.PRUNE, "no longer in Git", uid="uid-of-old", resource_version="1")
    }


def test_rule_10_only_what_rule_1_owns_is_deleted(bench: Any, config_map: Callable[..., Any]) -> None:
    ours = bench.live(config_map("ours"))
    copied = Live(Identity("", "ConfigMap", "shop", "copied"), ours.object)
    by_others = [
        bench.live(config_map("b"), owner=Owner("one", "blog")),
        bench.live(config_map("c"), owner=Owner("2", "shop")),
    ]
    controlled = changed(bench.live(config_map("d")), ownerReferences=[{"controller": True}])
    assert decide(bench, [copied, *by_others, controlled]) == {}


def test_rule_10_unknown_identity_prunes_nothing(bench: Any, config_map: Callable[..., Any]) -> None:
    found = decide(bench, [bench.live(config_map("old"))], unknown=("apps/b.yaml", "apps/a.yaml"))
    assert found["old"].action is Action.HOLD
    assert found["old"].reason == "nothing is pruned while apps/a.yaml, apps/b.yaml cannot be read"


def test_rule_10_what_a_quarantined_document_made_is_kept(bench: Any, config_map: Callable[..., Any]) -> None:
    web = Identity("reconciler.dev", "Deployment", "shop", "web")
    made = annotated(bench.live(config_map("web-files-1")), spec="Deployment/shop/web")
    other = annotated(bench.live(config_map("other")), spec="Deployment/shop/other")
    itself = bench.live(config_map("itself"))
    found = decide(bench, [made, other, itself], quarantined=frozenset({web, itself.identity}))
    assert {name: change.action for name, change in found.items()} == {
        "web-files-1": Action.KEEP,
        "other": Action.PRUNE,
        "itself": Action.KEEP,
    }


def test_rule_10_without_a_spec_annotation_the_file_tells(bench: Any, config_map: Callable[..., Any]) -> None:
    web = Identity("reconciler.dev", "Deployment", "shop", "web")
    problem = Problem(Severity.ERROR, "x", Location("bad.yaml", 3), "broken", identity=web)
    kept = annotated(bench.live(config_map("kept"), path="bad.yaml"), spec=None)
    gone = annotated(bench.live(config_map("gone"), path="good.yaml"), spec=None)
    found = decide(bench, [kept, gone], quarantined=frozenset({web}), problems=(problem,))
    assert (found["kept"].action, found["gone"].action) == (Action.KEEP, Action.PRUNE)


def test_rule_10_what_could_not_be_rendered_keeps_its_objects(bench: Any, config_map: Callable[..., Any]) -> None:
    live = bench.live(config_map("old"))
    found = decide(bench, [live], manifests=Manifests({}, unrendered=frozenset({live.identity})))
    assert found["old"].action is Action.KEEP


def test_rule_12_prune_false_keeps_and_says_so(bench: Any, config_map: Callable[..., Any]) -> None:
    found = decide(bench, [annotated(bench.live(config_map("old")), prune="false")], unknown=("a.yaml",))
    assert found["old"].action is Action.KEEP
    assert found["old"].reason == 'reconciler.dev/prune is "false"'


def test_rule_2_an_object_that_moves_to_another_source_is_not_deleted(
    bench: Any, config_map: Callable[..., Any]
) -> None:
    live = bench.live(config_map("old"))
    found = decide(bench, [live], moved={live.identity: "blog"})
    assert (found["old"].action, found["old"].reason) == (Action.KEEP, "moves to source blog")


def test_what_is_being_deleted_is_left_to_it(bench: Any, config_map: Callable[..., Any]) -> None:
    live = changed(bench.live(config_map("old")), deletionTimestamp="2026-01-01T00:00:00Z")
    assert decide(bench, [live])["old"].action is Action.KEEP


def test_rule_16_a_superseded_job_that_runs_is_kept(bench: Any) -> None:
    found = decide(bench, [job(bench, "migrate-1", None)], documents=task())
    assert (found["migrate-1"].action, found["migrate-1"].reason) == (Action.KEEP, "superseded, and runs to its end")


def test_rule_16_a_running_job_of_a_removed_task_ends_first(bench: Any) -> None:
    assert decide(bench, [job(bench, "migrate-1", None)])["migrate-1"].action is Action.KEEP
    assert decide(bench, [job(bench, "migrate-1", "Complete")])["migrate-1"].action is Action.PRUNE


def test_rule_16_a_suspended_job_has_nothing_to_finish(bench: Any) -> None:
    found = decide(bench, [job(bench, "migrate-1", None, suspend=True)], documents=task())
    assert found["migrate-1"].action is Action.PRUNE


def test_rule_16_the_newest_finished_jobs_are_kept(bench: Any) -> None:
    done = [job(bench, f"done-{n}", "Complete", minute=n) for n in range(5)]
    failed = [job(bench, f"failed-{n}", "Failed", minute=n) for n in range(3)]
    found = decide(bench, [*done, *failed], stated=[done[4]], documents=task(succeeded=3, failed=1))
    assert sorted(name for name, change in found.items() if change.action is Action.KEEP) == [
        "done-2",
        "done-3",
        "failed-2",
    ]


def test_what_a_kept_job_mounts_is_kept_too(bench: Any, config_map: Callable[..., Any]) -> None:
    pod = {"volumes": [{"name": "files", "configMap": {"name": "files-1"}}]}
    running = job(bench, "migrate-1", None, pod=pod)
    found = decide(bench, [running, bench.live(config_map("files-1")), bench.live(config_map("files-2"))])
    assert (found["files-1"].action, found["files-2"].action) == (Action.KEEP, Action.PRUNE)


def test_rule_17_what_a_roll_out_on_its_way_mounts_is_kept(bench: Any, config_map: Callable[..., Any]) -> None:
    files = bench.live(config_map("files-1"))
    pod = {"volumes": [{"name": "files", "configMap": {"name": "files-1"}}], "containers": []}
    replica_set = Live(
        Identity("apps", "ReplicaSet", "shop", "web-1"), {"spec": {"template": {"spec": pod}}, "metadata": {}}
    )
    found = decide(bench, [files], referenced=mounted([replica_set]))
    assert (found["files-1"].action, found["files-1"].reason) == (Action.KEEP, "still needed by running pods")


def test_mounted_finds_every_reference_of_a_pod() -> None:
    container = {
        "name": "c",
        "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
        "env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "d", "key": "k"}}},
            {"name": "Z", "value": "plain"},
        ],
    }
    pod = {
        "serviceAccountName": "e",
        "imagePullSecrets": [{"name": "f"}],
        "initContainers": [container],
        "containers": None,
        "volumes": [
            {"name": "1", "configMap": {"name": "g"}},
            {"name": "2", "secret": {"secretName": "h"}},
            {"name": "3", "persistentVolumeClaim": {"claimName": "i"}},
            {"name": "4", "projected": {"sources": [{"configMap": {"name": "j"}}, {"secret": {"name": "k"}}]}},
            {"name": "5", "emptyDir": {}},
        ],
    }
    expected = {
        *(("ConfigMap", name) for name in "acgj"),
        *(("Secret", name) for name in "bdfhk"),
        ("PersistentVolumeClaim", "i"),
        ("ServiceAccount", "e"),
    }
    for kind, spec in (
        ("Pod", pod),
        ("Deployment", {"template": {"spec": pod}}),
        ("CronJob", {"jobTemplate": {"spec": {"template": {"spec": pod}}}}),
    ):
        found = mounted([Live(Identity("", kind, "shop", "x"), {"spec": spec})])
        assert {(one.kind, one.name) for one in found} == expected
    assert mounted([Live(Identity("", "ConfigMap", "shop", "x"), {"data": {"spec": "no"}})]) == frozenset()
