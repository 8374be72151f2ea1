"""Names of other documents: Images, dependencies, circles."""

import pytest

from reconciler.kube.names import Identity
from reconciler.model.problem import Severity
from reconciler.specs.references import cycles

IMAGE = "apiVersion: reconciler.dev/v1\nkind: Image\nmetadata: {name: web%s}\nspec: {repository: a/b, tag: '1'}\n"
TASK = "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: %s}\nspec: {image: '%s', dependsOn: [%s]}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: '%s'}]}\n"


def join(*documents: str) -> str:
    return "---\n".join(documents)


def test_an_image_by_name_and_by_reference(load) -> None:
    specs = load(join(IMAGE % "", TASK % ("a", "web", ""), TASK % ("b", "r.example.com:5000/x/y:1", ""), POD % "web"))
    assert not specs.problems


@pytest.mark.parametrize("image", ["a b", "https://r.example.com/web", "Web/App", "web:", "web@sha256:12", "", "/web"])
def test_neither_an_image_nor_a_reference(load, image: str) -> None:
    specs = load(TASK % ("a", image, ""))
    (problem,) = specs.problems
    assert problem.subject == "Task/a spec.image"
    assert problem.severity is Severity.ERROR


def test_a_bad_image_in_a_plain_object_is_a_warning(load) -> None:
    (problem,) = load(POD % "Web/App").problems
    assert (problem.code, problem.severity) == ("bad-image", Severity.WARNING)


def test_a_misspelt_image_is_told(load) -> None:
    (problem,) = load(join(IMAGE % "", TASK % ("a", "wep", ""))).problems
    assert (problem.code, problem.severity) == ("no-such-image", Severity.WARNING)
    assert problem.hint == "did you mean web?"


def test_an_image_of_another_namespace_is_told(load) -> None:
    (problem,) = load(join(IMAGE % ", namespace: other", TASK % ("a", "web", ""))).problems
    assert problem.hint == "the namespace other has one; an Image serves its own namespace only"


def test_a_plain_word_without_images_is_a_reference(load) -> None:
    assert not load(TASK % ("a", "redis", "")).problems


def test_a_broken_image_breaks_who_names_it(load) -> None:
    """Else the word would be pulled from a registry that nobody meant."""
    text = join(
        (IMAGE % "").replace("tag: '1'", "tag: '1', digest: x"),
        TASK % ("a", "web", ""),
        POD % "web",
        TASK % ("b", "x:1", ""),
    )
    specs = load(text)
    assert {identity.name for identity in specs.quarantined} == {"web", "a", "p"}
    assert [p.subject for p in specs.problems if p.code == "broken-image"] == [
        "Task/a spec.image",
        "Pod/p spec.containers[0].image",
    ]


def test_an_image_may_be_in_a_file_that_cannot_be_read(load, said) -> None:
    specs = load({"a.yaml": TASK % ("a", "web", ""), "images.yaml": (IMAGE % "") + "  x: y: z"})
    assert 'whether "web" is an Image cannot be told while images.yaml cannot be read' in said(specs)[0]
    assert not specs.documents


def test_dependencies(load) -> None:
    text = join(
        TASK % ("a", "x:1", "Task/b, Task/default/b, ConfigMap/c, Namespace/n, Deployment.apps/d"),
        TASK % ("b", "x:1", ""),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {reconciler.dev/depends-on: Pod/p}}\n",
        POD % "x:1",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {selector: {}, template: {}}\n",
    )
    assert not load(text).problems


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("Task/migrat", "did you mean Task/migrate?"),
        ("task/migrate", "did you mean Task/migrate?"),
        ("Job/migrate", "it is made by Task/migrate: name that"),
        ("Task/other/migrate", "did you mean Task/default/migrate?"),
        ("Widget/w", ""),
    ],
)
def test_a_dependency_that_is_not_there(load, reference: str, hint: str) -> None:
    specs = load(join(TASK % ("a", "x:1", reference), TASK % ("migrate", "x:1", "")))
    (problem,) = specs.problems
    assert str(problem) == f'a.yaml:4:34: Task/a spec.dependsOn[0]: there is no document "{reference}"'
    assert problem.hint == hint
    assert {identity.name for identity in specs.documents} == {"migrate"}


def test_a_dependency_on_a_broken_document_is_there(load) -> None:
    specs = load(join(TASK % ("a", "x:1", "Task/b"), TASK % ("b", "not an image", "")))
    assert {identity.name for identity in specs.documents} == {"a"}


def test_a_circle_is_named(load, said) -> None:
    text = join(*(TASK % (one, "x:1", f"Task/{other}") for one, other in ("ab", "bc", "ca", "da")))
    specs = load(text)
    assert said(specs) == [
        (
            "a.yaml:4:34: Task/a spec.dependsOn[0]: dependencies in a circle: "
            "Task/default/a → Task/default/b → Task/default/c → Task/default/a"
        )
    ]
    assert {identity.name for identity in specs.quarantined} == {"a", "b", "c"}
    assert {identity.name for identity in specs.documents} == {"d"}


def test_a_document_that_waits_for_itself(load, errors) -> None:
    assert errors(load(TASK % ("a", "x:1", "Task/a"))) == ["cycle"]


def test_every_circle_is_found_once() -> None:
    def node(name: str) -> Identity:
        return Identity("", "X", "", name)

    graph = {
        node(one): [node(other) for other in others]
        for one, others in {"a": "b", "b": "ac", "c": "d", "d": "ec", "f": "ab"}.items()
    }
    assert [[identity.name for identity in circle] for circle in cycles(graph)] == [["c", "d"], ["a", "b"]]


def test_a_long_chain_is_no_circle(load) -> None:
    text = join(*(TASK % (f"t{n}", "x:1", f"Task/t{n + 1}" if n < 1_999 else "") for n in range(2_000)))
    assert not load(text).problems
