"""Which objects files describe: Lists, namespaces, names, and what cannot be told."""

from pathlib import Path

import pytest

from reconciler.kube.names import GroupKind, Identity
from reconciler.model.problem import Location, Severity
from reconciler.model.snapshot import Skipped, SkipReason
from reconciler.specs.limits import Limits

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def names(specs) -> list[str]:
    return [str(identity) for identity in specs.documents]


def test_a_list_is_its_items(load) -> None:
    specs = load(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one}}\n"
        "- apiVersion: v1\n  kind: List\n"
        "  items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: two}}]\n"
    )
    assert names(specs) == ["ConfigMap/one/a", "ConfigMap/two/b"]
    assert [document.origin.line for document in specs.documents.values()] == [4, 5]
    assert not specs.problems


@pytest.mark.parametrize(
    "head", ["kind: ConfigMapList\napiVersion: v1", "kind: RoleList\napiVersion: rbac.authorization.k8s.io/v1"]
)
def test_items_of_a_typed_list_need_not_say_what_they_are(load, head: str) -> None:
    specs = load(f"{head}\nmetadata: {{}}\nitems: [{{metadata: {{name: a}}, rules: null}}]\n")
    assert names(specs) == [f"{head[6:].split('List')[0]}/default/a"]


def test_an_empty_list_is_nothing(load) -> None:
    specs = load("apiVersion: v1\nkind: List\nitems: null\n---\napiVersion: v1\nkind: PodList\nitems: []\n")
    assert not specs.documents
    assert not specs.problems


def test_a_kind_that_ends_in_list_may_be_an_object(load) -> None:
    specs = load("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nitems: [{x: 1}]\n")
    assert names(specs) == ["AllowList/default/a"]


def test_a_fault_in_one_item_leaves_the_others(load) -> None:
    specs = load(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, metadata: {}}\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n- text\n"
    )
    assert names(specs) == ["ConfigMap/default/b"]
    assert specs.quarantined == {Identity("", "ConfigMap", "default", "a")}
    assert specs.unknown == ("a.yaml",)


def test_nulls_are_absent(load) -> None:
    specs = load(
        CONFIG.replace("{name: %s}", "{name: a, labels: null, annotations: {x: null}}") + "data: null\nimmutable: ~\n"
    )
    (document,) = specs.documents.values()
    expected = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "default", "annotations": {}},
    }
    assert document.spec.object == expected


def test_the_namespace_of_the_source_is_filled_in(load) -> None:
    specs = load(CONFIG % "a" + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n", namespace="shop")
    assert names(specs) == ["ConfigMap/shop/a", "Namespace/n"]
    assert specs.documents[Identity("", "ConfigMap", "shop", "a")].spec.object["metadata"]["namespace"] == "shop"
    assert "namespace" not in specs.documents[Identity("", "Namespace", "", "n")].spec.object["metadata"]


def test_a_kind_without_namespaces_loses_one(load) -> None:
    specs = load(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'system:a', namespace: b}\n"
    )
    (problem,) = specs.problems
    assert (problem.severity, problem.code, problem.location) == (
        Severity.WARNING,
        "cluster-scoped",
        Location("a.yaml", 3, 30),
    )
    (document,) = specs.documents.values()
    assert document.spec.object["metadata"] == {"name": "system:a"}


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties: {size: {type: integer, minimum: 1}, color: {type: string, enum: [red]}}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: %s}\n"


def test_a_definition_in_the_snapshot_says_what_its_kind_is(load, said) -> None:
    specs = load({"z.yaml": CRD, "a.yaml": WIDGET % 1})
    assert names(specs) == ["CustomResourceDefinition/widgets.example.com", "Widget/w"]
    assert not specs.problems
    assert said(load({"z.yaml": CRD, "a.yaml": WIDGET % "0, colour: red"})) == [
        "a.yaml:4:14: Widget/w spec.size: 0 should be greater than or equal to 1",
        'a.yaml:4:17: warning: Widget/w spec.colour: unknown field "colour"',
    ]


def test_a_broken_definition_does_no_harm(load) -> None:
    specs = load({"z.yaml": CRD.replace("  versions:", "  versions: text\n  other:"), "a.yaml": WIDGET % 1})
    assert "Widget/default/w" in names(specs)
    assert Identity("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.example.com") in specs.quarantined


def test_rule_15_an_unknown_kind_is_a_warning_offline(load, said) -> None:
    specs = load(WIDGET % 1 + "---\n" + (WIDGET % 1).replace("name: w", "name: v"))
    assert names(specs) == ["Widget/default/v", "Widget/default/w"]
    assert said(specs) == [
        "a.yaml:2:7: warning: Widget/w kind: unknown kind Widget of example.com/v1: 2 documents are not validated"
    ]


def test_the_cluster_knows_kinds(load) -> None:
    specs = load(WIDGET % 1, scopes={GroupKind("example.com", "Widget"): False})
    assert names(specs) == ["Widget/w"]
    assert not specs.problems


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        ("{apiVersion: extensions/v1beta1, kind: Ingress}", "did you mean apiVersion: networking.k8s.io/v1?"),
        ("{apiVersion: apps/v1beta2, kind: Deployment}", "known versions: v1"),
        ("{apiVersion: apps/v1, kind: Deploymnt}", "did you mean Deployment?"),
        ("{apiVersion: v1, kind: Deployment}", "did you mean apiVersion: apps/v1?"),
    ],
)
def test_what_an_unknown_kind_may_have_meant(load, head: str, hint: str) -> None:
    (problem,) = load(head[:-1] + ", metadata: {name: x}}").problems
    assert (problem.code, problem.severity, problem.hint) == ("unknown-kind", Severity.WARNING, hint)


@pytest.mark.parametrize(
    ("kind", "name", "fine"),
    [
        ("v1/ConfigMap", "a.b-c", True),
        ("v1/ConfigMap", "A", False),
        ("v1/ConfigMap", "a_b", False),
        ("v1/ConfigMap", "a" * 254, False),
        ("v1/Service", "1a", False),
        ("v1/Service", "a.b", False),
        ("v1/Namespace", "a.b", False),
        ("v1/Namespace", "a" * 64, False),
        ("batch/v1/CronJob", "a" * 53, False),
        ("rbac.authorization.k8s.io/v1/Role", "system:Controller", True),
        ("rbac.authorization.k8s.io/v1/Role", "a/b", False),
        ("example.com/v1/Widget", "Anything_goes", True),
        ("example.com/v1/Widget", "..", False),
        ("reconciler.dev/v1/Deployment", "a.b", False),
    ],
)
def test_names(load, kind: str, name: str, fine: bool) -> None:
    api_version, _, kind = kind.rpartition("/")
    rest = "spec: {image: 'a:1'}" if "reconciler" in api_version else ""
    found = load(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: '{name}'}}\n{rest}")
    bad = [problem for problem in found.problems if "name" in problem.subject and problem.severity is Severity.ERROR]
    assert bool(bad) is not fine


def test_a_name_is_not_valid_in_words(load) -> None:
    (problem,) = load(CONFIG % "Web").problems
    assert str(problem) == 'a.yaml:3:18: ConfigMap/Web metadata.name: "Web" is not a valid name'
    assert problem.hint.startswith("a ConfigMap name has lower-case letters")


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ("labels: {a b: c}", "bad-name"),
        ("labels: {a: b c}", "bad-value"),
        ("labels: {/a: b}", "bad-name"),
        ("annotations: {a/b/c: d}", "bad-name"),
        ("annotations: {reconciler.dev/prun: 'false'}", "unknown-annotation"),
        ("annotations: {reconciler.dev/prune: maybe}", "bad-annotation"),
        ("annotations: {reconciler.dev/drift: heel}", "bad-annotation"),
        ("annotations: {reconciler.dev/ignore: 'spec/replicas'}", "bad-annotation"),
        ("annotations: {reconciler.dev/depends-on: web}", "bad-annotation"),
        ("namespace: A", "bad-name"),
        ("labels: []", "wrong-type"),
    ],
)
def test_labels_and_annotations(load, errors, metadata: str, code: str) -> None:
    assert errors(load(CONFIG.replace("name: %s", f"name: a, {metadata}"))) == [code]


def test_annotations_of_ours(load) -> None:
    text = "prune: 'false', drift: alert, ignore: '/spec/a, /spec/b', replace: 'true', adopt: 'true', id: x"
    annotations = ", ".join(f"reconciler.dev/{one}" for one in text.split(", ") if not one.startswith("/"))
    assert not load(
        CONFIG.replace(
            "name: %s",
            f"name: a, annotations: {{{annotations.replace(chr(39) + '/spec/a', chr(39) + '/spec/a' + chr(39))}}}",
        )
    ).problems


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a: 1", "this document has no apiVersion and no kind", ".reconcilerignore"),
        ("kind: ConfigMap\nmetadata: {name: a}", "ConfigMap/a: this document has no apiVersion", ".reconcilerignore"),
        ("- a\n- b", "this document is a list, not a mapping", ".reconcilerignore"),
        ("text", "this document is a single value, not a mapping", ".reconcilerignore"),
        ("apiVersion: v1\nkind: Pod", "Pod: this document has no metadata.name", ""),
        ("apiVersion: v1\nkind: Pod\nmetadata: {labels: {}}", "Pod metadata: metadata.name is missing", ""),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}", "generateName cannot be applied", "give it a name"),
        ("apiVersion: v1\nkind: [Pod]\nmetadata: {name: a}", "kind: a list is not a string", ""),
        ("apiVersion: v1\nkind: Pod\nmetadata: [a]", "metadata: a list is not a mapping", ""),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization",
            "no metadata.name",
            "kustomize is not run here",
        ),
    ],
)
def test_rule_10_what_has_no_identity_is_unknown(load, said, text: str, message: str, hint: str) -> None:
    specs = load({"a.yaml": text, "b.yaml": CONFIG % "fine"})
    assert message in said(specs)[0]
    assert hint in specs.problems[0].hint
    assert specs.problems[0].severity is Severity.ERROR
    assert specs.unknown == ("a.yaml",)
    assert names(specs) == ["ConfigMap/default/fine"]


def test_rule_3_one_identity_described_twice_names_both_places(load) -> None:
    specs = load({"a.yaml": CONFIG % "a", "b.yaml": CONFIG % "other" + "---\n" + CONFIG % "a", "c.yaml": CONFIG % "a"})
    assert [(str(p), [str(place) for place in p.also]) for p in specs.problems] == [
        ("b.yaml:5:1: ConfigMap/a: ConfigMap/default/a is described twice", ["a.yaml:1"]),
        ("c.yaml:1:1: ConfigMap/a: ConfigMap/default/a is described twice", ["a.yaml:1"]),
    ]
    assert specs.quarantined == {Identity("", "ConfigMap", "default", "a")}
    assert names(specs) == ["ConfigMap/default/other"]


def test_one_kind_in_two_groups_is_two_objects(load) -> None:
    apps = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
    ours = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {image: 'a:1'}\n"
    assert len(load({"a.yaml": apps, "b.yaml": ours}).documents) == 2


def test_reserved_names_are_not_specs(load, said) -> None:
    specs = load({"reconciler.yaml": "ignore: []", "x/images.lock.yaml": "a: b: c"})
    assert said(specs) == []
    assert not specs.unknown


def test_files_that_are_not_specs(load) -> None:
    specs = load(
        {
            "README.md": "a: b: c",
            "a.txt": "",
            "b.yml": CONFIG % "b",
            "c.json": '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"},"spec":{"containers":[]}}',
        }
    )
    assert names(specs) == ["ConfigMap/default/b", "Pod/default/c"]
    assert not specs.problems


def test_rule_10_files_that_are_not_read_are_unknown(load, repository) -> None:
    found = repository({"a.yaml": CONFIG % "a"}, ["base"])
    found.skipped = (
        Skipped("base/link.yaml", SkipReason.SYMLINK),
        Skipped("base/large.json", SkipReason.TOO_LARGE, "9 MB"),
        Skipped("base/module", SkipReason.SUBMODULE),
        Skipped("base/ignored.yaml", SkipReason.IGNORED),
        Skipped("base/picture.png", SkipReason.TOO_LARGE),
        Skipped("elsewhere/link.yaml", SkipReason.SYMLINK),
    )
    specs = load(found)
    assert specs.unknown == ("base/large.json", "base/link.yaml", "base/module")
    assert {problem.code for problem in specs.problems} == {"not-read"}


def test_a_path_that_is_gone_is_an_error(load, repository, said) -> None:
    found = repository({}, ["base", "env/prod"])
    found.missing = ("env/prod",)
    assert said(load(found)) == ["env/prod: this path of the source is not in the revision"]


def test_what_real_manifests_hold(load) -> None:
    specs = load((Path(__file__).parent / "data/real.yaml").read_text("utf-8"))
    assert not specs.problems
    assert len(specs.documents) == 14


def test_limits_of_a_snapshot(load) -> None:
    files = {f"{n}.yaml": "---\n".join(CONFIG % f"c{n}-{m}" for m in range(3)) for n in range(4)}
    specs = load(files, limits=Limits(documents=7))
    assert len(specs.documents) == 6
    assert specs.unknown == ("2.yaml",)
    assert [problem.code for problem in specs.problems] == ["too-many-documents"]


def test_a_file_of_five_megabytes(load, repository) -> None:
    found = repository({"a.yaml": CONFIG % "a" + "# " + "x" * 5 * 1024 * 1024, "b.yaml": CONFIG % "b"})
    specs = load(found)
    assert [(problem.code, problem.location.path) for problem in specs.problems] == [("too-large", "a.yaml")]
    assert specs.unknown == ("a.yaml",)
    assert names(specs) == ["ConfigMap/default/b"]
    assert found.blob("a.yaml") not in found.reads
