"""Environments: a document of a later path is merged over the earlier one of the same identity."""

import pytest

from reconciler.kube.names import Identity
from reconciler.model.problem import Location
from reconciler.model.snapshot import Skipped, SkipReason

PATHS = ["base", "env/prod"]
HEAD = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n"
BASE = (
    HEAD
    + """\
  image: web:1
  command: [a, b]
  env: {A: "1", B: {secretKeyRef: {name: s, key: k}}, C: gone}
  ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]
  volumes: [{name: data, mountPath: /data, emptyDir: {}}]
  expose: [{port: 80, targetPort: http, host: test.example.com}]
  sidecars: [{name: proxy, image: 'proxy:1', env: [{name: X, value: x}]}]
  resources: {requests: {cpu: 100m, memory: 64Mi}}
"""
)


def merged(load, overlay: str, base: str = BASE):
    specs = load({"base/web.yaml": base, "env/prod/web.yaml": HEAD + overlay}, PATHS)
    assert not specs.problems, specs.problems
    (document,) = specs.documents.values()
    return document


def test_scalars_replace_and_maps_merge(load) -> None:
    document = merged(load, "  replicas: 3\n  env: {A: '2'}\n  resources: {requests: {cpu: 200m}}\n")
    assert document.spec.replicas == 3
    assert document.spec.image == "web:1"
    assert document.spec.env["A"] == "2"
    assert document.spec.resources == {"requests": {"cpu": "200m", "memory": "64Mi"}}


def test_null_deletes(load) -> None:
    document = merged(load, "  env: {C: null}\n  resources: null\n  ports: [{containerPort: 9090, $patch: delete}]\n")
    assert document.spec.env.keys() == {"A", "B"}
    assert document.spec.resources is None
    assert document.spec.ports == ({"name": "http", "containerPort": 8080},)


def test_lists_of_words_are_replaced(load) -> None:
    assert merged(load, "  command: [c]\n").spec.command == ("c",)


def test_lists_with_a_key_are_merged(load) -> None:
    document = merged(
        load,
        "  ports: [{containerPort: 9090, name: prom}, {containerPort: 7070}]\n"
        "  expose: [{port: 80, host: shop.example.com}]\n"
        "  volumes: [{name: data, readOnly: true}]\n"
        "  sidecars: [{name: proxy, env: [{name: Y, value: y}]}]\n",
    )
    assert sorted(port["containerPort"] for port in document.spec.ports) == [7070, 8080, 9090]
    assert [(e.host, e.target_port) for e in document.spec.expose] == [("shop.example.com", "http")]
    assert document.spec.volumes == ({"name": "data", "mountPath": "/data", "emptyDir": {}, "readOnly": True},)
    assert {one["name"] for one in document.spec.sidecars[0]["env"]} == {"X", "Y"}


def test_a_source_of_a_variable_is_replaced_whole(load) -> None:
    document = merged(
        load, "  env: {B: {configMapKeyRef: {name: c, key: k}}, A: {fieldRef: {fieldPath: metadata.name}}}\n"
    )
    assert document.spec.env["B"] == {"configMapKeyRef": {"name": "c", "key": "k"}}
    assert document.spec.env["A"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_labels_and_annotations_merge(load) -> None:
    base = BASE.replace("{name: web}", "{name: web, labels: {a: a, b: b}}", 1)
    files = {
        "base/web.yaml": base,
        "env/prod/web.yaml": HEAD.replace("{name: web}", "{name: web, labels: {b: c}}") + "  replicas: 1\n",
    }
    (document,) = load(files, PATHS).documents.values()
    assert document.labels == {"a": "a", "b": "c"}


def test_origin_names_every_file(load) -> None:
    document = merged(load, "  replicas: 3\n")
    assert (document.origin.path, document.origin.overlays) == ("base/web.yaml", ("env/prod/web.yaml",))
    assert document.origin.text_hash != merged(load, "  replicas: 4\n").origin.text_hash


def test_kubernetes_objects_merge_as_kubernetes_would(load) -> None:
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n"
    base = (
        head
        + "  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n"
        + "    spec: {containers: [{name: a, image: 'a:1'}, {name: b, image: 'b:1'}]}\n"
    )
    over = head + "  replicas: 2\n  template: {spec: {containers: [{name: b, image: 'b:2'}]}}\n"
    (document,) = load({"base/a.yaml": base, "env/prod/a.yaml": over}, PATHS).documents.values()
    spec = document.spec.object["spec"]
    assert spec["replicas"] == 2
    assert {one["name"]: one["image"] for one in spec["template"]["spec"]["containers"]} == {"a": "a:1", "b": "b:2"}


def test_unknown_kinds_merge_as_json_would(load) -> None:
    head = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: "
    files = {
        "base/a.yaml": head + "{list: [1, 2], keep: 1, drop: 1}",
        "env/prod/a.yaml": head + "{list: [3], drop: null}",
    }
    (document,) = load(files, PATHS).documents.values()
    assert document.spec.object["spec"] == {"list": [3], "keep": 1}


def test_the_order_of_paths_counts_not_their_names(load) -> None:
    files = {"b/web.yaml": BASE, "a/web.yaml": HEAD + "  replicas: 1\n", "c/web.yaml": HEAD + "  replicas: 2\n"}
    assert next(iter(load(files, ["b", "c", "a"]).documents.values())).spec.replicas == 1
    assert next(iter(load(files, ["b", "a", "c"]).documents.values())).spec.replicas == 2


def test_an_overlay_may_take_a_document_out(load) -> None:
    over = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\n$patch: delete\n"
    specs = load({"base/web.yaml": BASE, "env/prod/web.yaml": over}, PATHS)
    assert not specs.documents
    assert not specs.problems
    assert not specs.quarantined


@pytest.mark.parametrize(
    ("overlay", "place", "message"),
    [
        ("  replicas: three\n", Location("env/prod/web.yaml", 5, 13), 'spec.replicas: "three" is not an integer'),
        ("  comand: [x]\n", Location("env/prod/web.yaml", 5, 3), 'unknown field "comand"'),
        (
            "  ports: [{containerPort: 8080, name: UP}]\n",
            Location("env/prod/web.yaml", 5, 39),
            '"UP" is not a port name',
        ),
        ("  image: null\n", Location("base/web.yaml", 4, 1), 'the required field "image" is missing'),
        ("  sidecars: [{name: proxy, imag: x}]\n", Location("env/prod/web.yaml", 5, 28), 'unknown field "imag"'),
    ],
)
def test_errors_lead_into_the_file_that_states_them(load, overlay: str, place: Location, message: str) -> None:
    specs = load({"base/web.yaml": BASE, "env/prod/web.yaml": HEAD + overlay}, PATHS)
    (problem,) = specs.problems
    assert message in str(problem)
    assert problem.location == place


def test_an_error_of_the_base_leads_to_the_base(load) -> None:
    base = BASE + "  replicas: three\n"
    (problem,) = load({"base/web.yaml": base, "env/prod/web.yaml": HEAD + "  command: [x]\n"}, PATHS).problems
    assert problem.location == Location("base/web.yaml", 13, 13)


def test_an_overlay_may_repair_the_base(load) -> None:
    assert merged(load, "  replicas: 3\n", BASE + "  replicas: three\n").spec.replicas == 3


def test_texts_without_quotes_in_both(load) -> None:
    files = {"base/web.yaml": BASE + "  workingDir: 1\n", "env/prod/web.yaml": HEAD + "  workingDir: 2\n"}
    specs = load(files, PATHS)
    assert [(str(p.location), p.hint) for p in specs.problems] == [
        ("base/web.yaml:13:15", 'write "1"'),
        ("env/prod/web.yaml:5:15", 'write "2"'),
    ]
    assert next(iter(specs.documents.values())).spec.working_dir == "2"


def test_what_cannot_be_merged(load, said) -> None:
    specs = load({"base/web.yaml": BASE, "env/prod/web.yaml": HEAD + "  ports: [{name: http}]\n"}, PATHS)
    assert said(specs) == [
        (
            "env/prod/web.yaml:1:1: Deployment/web: this cannot be merged over base/web.yaml:1: "
            "an item of a list does not contain its merge key containerPort"
        )
    ]


def test_rule_3_twice_in_one_layer_is_an_error_with_overlays_too(load) -> None:
    files = {"base/a.yaml": BASE, "base/b.yaml": BASE, "env/prod/a.yaml": HEAD + "  replicas: 1\n"}
    specs = load(files, PATHS)
    assert [problem.code for problem in specs.problems] == ["described-twice"]
    assert specs.quarantined == {Identity("reconciler.dev", "Deployment", "default", "web")}


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: base}\n"


@pytest.mark.parametrize(
    ("broken", "quarantined"),
    [
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b: c}\n", {"one"}),
        ("kind: ConfigMap\nmetadata:\n  labels: {a: b}\n  name: one\ndata: [\n", {"one"}),
        ("kind: ConfigMap\nmetadata: {name: new}\ndata: [\n", set()),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---\n}{\n", {"one", "two"}),
        ("kind: ConfigMap\nmetadata: {name: two}\n", {"two"}),
    ],
)
def test_rule_10_a_base_is_not_applied_without_its_overlay(load, broken: str, quarantined: set[str]) -> None:
    files = {"base/a.yaml": CONFIG % "one" + "---\n" + CONFIG % "two", "env/prod/a.yaml": broken}
    specs = load(files, PATHS)
    assert {identity.name for identity in specs.quarantined} | {
        document.identity.name for document in specs.documents.values() if document.origin.overlays
    } == quarantined
    assert specs.unknown == ("env/prod/a.yaml",)
    held = [problem for problem in specs.problems if problem.code == "held"]
    assert bool(held) is bool(specs.quarantined)


def test_rule_10_a_base_is_not_applied_without_an_overlay_that_is_not_read(load, repository) -> None:
    found = repository({"base/a.yaml": CONFIG % "one", "env/prod/b.yaml": CONFIG % "two"}, PATHS)
    found.skipped = (Skipped("env/prod/module", SkipReason.SUBMODULE),)
    assert len(load(found).documents) == 2
    found.skipped = (Skipped("env/prod/a.yaml", SkipReason.SYMLINK),)
    specs = load(found)
    assert [identity.name for identity in specs.documents] == ["two"]
    assert [identity.name for identity in specs.quarantined] == ["one"]


def test_rule_10_an_overlay_is_not_applied_without_its_base(load) -> None:
    files = {"base/a.yaml": "a: b: c", "env/prod/a.yaml": CONFIG % "one"}
    specs = load(files, PATHS)
    assert not specs.documents
    assert {identity.name for identity in specs.quarantined} == {"one"}
