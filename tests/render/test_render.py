"""The room as a whole: caching, collisions, images."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.filled import Preference, Record
from reconciler.model.manifest import Manifests, Owner
from reconciler.model.spec import ObjectSpec, Specs
from reconciler.render.render import Renderer

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: %s, namespace: shop}
spec: {image: web, expose: [{port: 80}]}
"""
IMAGE = """
apiVersion: reconciler.dev/v1
kind: Image
metadata: {name: web, namespace: shop}
spec: {repository: registry.example.com/web, tag: "%s"}
"""
PLAIN = """
apiVersion: v1
kind: ConfigMap
metadata: {name: %s, namespace: shop}
data: {a: %s}
"""


@pytest.fixture
def again(specs: Callable[..., Specs], manifests: Callable[..., Manifests]) -> Callable[..., Manifests]:
    """Renders one text after the other with one Renderer."""
    renderer = Renderer()

    def render(*texts: str, **settings: Any) -> Manifests:
        return manifests(specs("\n---\n".join(texts)), renderer, **settings)

    return render


def test_a_change_of_one_document_renders_one_document(again: Any) -> None:
    texts = [PLAIN % (f"c{n}", "x") for n in range(20)]
    first = again(*texts)
    assert first.rendered == 20
    assert again(*texts).rendered == 0
    texts[7] = PLAIN % ("c7", "y")
    changed = again(*texts)
    assert changed.rendered == 1
    same = [i for i in first.items if changed.items[i] is first.items[i]]
    assert len(same) == 19


def test_another_tag_renders_the_image_and_who_names_it(again: Any) -> None:
    rest = [PLAIN % ("c", "x"), WEB % "one", WEB % "two"]
    again(IMAGE % "1", *rest)
    second = again(IMAGE % "2", *rest)
    assert second.rendered == 3
    images = {m.object["spec"]["template"]["spec"]["containers"][0]["image"]
              for i, m in second.items.items() if i.kind == "Deployment"}  # fmt: skip
    assert images == {"registry.example.com/web:2"}


def test_an_image_that_appears_or_goes_is_noticed(again: Any) -> None:
    def image(made: Manifests) -> str:
        spec = made.items[Identity("apps", "Deployment", "shop", "one")].object["spec"]
        found: str = spec["template"]["spec"]["containers"][0]["image"]
        return found

    assert image(again(WEB % "one")) == "web"
    assert image(again(WEB % "one", IMAGE % "1")) == "registry.example.com/web:1"
    assert image(again(WEB % "one")) == "web"


def test_another_owner_or_setting_renders_all(again: Any) -> None:
    again(PLAIN % ("a", "x"))
    assert again(PLAIN % ("a", "x"), adopt=True).rendered == 1
    assert again(PLAIN % ("a", "x"), owner=Owner("other", "shop")).rendered == 1


def test_a_document_that_came_back_to_what_it_was_is_the_same_value(again: Any) -> None:
    assert again(PLAIN % ("a", "x")).items == again(PLAIN % ("a", "x")).items


def test_what_becomes_available_later_is_waited_for_without_rendering_again(again: Any) -> None:
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {volumes: [{configMap: {name: a}}]}}"
    identity = Identity("", "Pod", "shop", "p")
    assert again(pod).items[identity].depends_on == ()
    both = again(pod, PLAIN % ("a", "x"))
    assert both.rendered == 1
    assert both.items[identity].depends_on == (Identity("", "ConfigMap", "shop", "a"),)
    assert again(pod).items[identity].depends_on == ()


# Documents that read each other in every way there is: images, autoscalers, budgets, collisions, explicit order.
_PARTS = (
    IMAGE % "1",
    IMAGE % "2",
    WEB % "web",
    (WEB % "web").replace("{image", "{replicas: 3, image"),
    (WEB % "web").replace("expose", "dependsOn: [ConfigMap/a], expose"),
    (WEB % "web").replace("expose", "dependsOn: [Deployment/second], expose"),
    WEB % "second",
    (WEB % "second").replace("expose", "envFrom: [{configMapRef: {name: a}}], expose"),
    PLAIN % ("a", "x"),
    PLAIN % ("a", "y"),
    "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}",
    "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
    (
        "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: shop}, "
        "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}"
    ),
    (
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: p, namespace: shop}, "
        "spec: {selector: {matchLabels: {app.kubernetes.io/name: web}}}}"
    ),
    (
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: t}, "
        "spec: {group: g, names: {kind: T}}}"
    ),
    (
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: t}, "
        "spec: {group: g, names: {kind: U}}}"
    ),
    "{apiVersion: g/v1, kind: T, metadata: {name: t, namespace: shop}}",
)


@given(st.lists(st.sets(st.sampled_from(_PARTS), min_size=1), min_size=2, max_size=5), st.data())
def test_what_was_rendered_before_never_shows(
    specs: Any, manifests: Any, revisions: list[set[str]], data: st.DataObject
) -> None:
    renderer = Renderer()
    for parts in revisions:
        gone = data.draw(st.sampled_from([frozenset(), frozenset({Identity("", "ConfigMap", "shop", "a")})]))
        given_specs = specs("\n---\n".join(sorted(parts)), quarantined=gone)
        adopt = data.draw(st.booleans())
        cached = manifests(given_specs, renderer, adopt=adopt)
        fresh = manifests(given_specs, Renderer(), adopt=adopt)
        assert replace(cached, rendered=0) == replace(fresh, rendered=0)
        assert list(cached.items) == sorted(cached.items)


def test_five_thousand_cached_documents_cost_little(specs: Any, manifests: Any) -> None:
    """Calls are counted: how long they take is the machine's."""
    (one,) = specs(PLAIN % ("a", "x")).documents.values()
    documents = {}
    for number in range(5000):
        identity = Identity("", "ConfigMap", "shop", f"c{number}")
        obj = {**one.spec.object, "metadata": {"name": identity.name, "namespace": "shop"}}
        documents[identity] = replace(one, identity=identity, spec=ObjectSpec(obj))
    given = replace(specs(PLAIN % ("a", "x")), documents=documents)
    renderer = Renderer()
    manifests(given, renderer)
    calls: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _about: calls.update((event,)))
    try:
        made = manifests(given, renderer)
    finally:
        sys.setprofile(None)
    assert made.rendered == 0
    assert calls["call"] + calls["c_call"] < 20 * 5000


def test_two_documents_that_make_one_object_are_both_left_out_and_named(render: Any) -> None:
    service = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 1}]}}"
    found = render("\n---\n".join([WEB % "web", service, PLAIN % ("a", "x")]))
    assert found.names() == ["ConfigMap/a"]
    assert found.manifests.unrendered == {
        Identity("reconciler.dev", "Deployment", "shop", "web"),
        Identity("", "Service", "shop", "web"),
    }
    first, second = found.problems
    assert first.lines() == [
        "shop.yaml:1: Deployment/web: Service/shop/web would be made by two documents, so neither is applied",
        "  also: shop.yaml:8",
        "  hint: rename one of them",
    ]
    assert str(second.location) == "shop.yaml:8"


def test_an_object_whose_own_document_is_quarantined_is_not_made_by_another(render: Any) -> None:
    """The broken document may be the one that made what lives."""
    found = render(WEB % "web", quarantined=frozenset({Identity("", "Service", "shop", "web")}))
    assert found.names() == []
    assert [p.code for p in found.problems] == ["made-twice"]


def test_a_plan_fills_in_what_the_spec_leaves_open_and_nothing_else(specs: Any, manifests: Any) -> None:
    open_, stated = (Identity("reconciler.dev", "Deployment", "shop", name) for name in ("open", "stated"))
    text = "\n---\n".join(
        [WEB % "open", (WEB % "stated").replace("{image", "{replicas: 1, resources: {requests: {cpu: 1}}, image")]
    )
    record = Record("abc", replicas=7, requests={"cpu": "2", "memory": "1Gi"})
    made = manifests(specs(text), filling={open_: record, stated: record}).items
    shown = {
        i.name: (m.object["spec"]["replicas"], m.object["spec"]["template"]["spec"]["containers"][0]["resources"])
        for i, m in made.items()
        if i.kind == "Deployment"
    }
    assert [made[i].planned for i in made if i.kind == "Deployment"] == [("/spec/replicas",), ()]
    assert [i.name for i in made if i.kind == "PodDisruptionBudget"] == ["open"], "the other has one pod, as it states"
    assert shown == {
        "open": (7, {"requests": {"cpu": "2", "memory": "1Gi"}}),
        "stated": (1, {"requests": {"cpu": 1, "memory": "1Gi"}}),
    }


def test_rule_21_a_planned_place_is_preferred_and_never_required(specs: Any, manifests: Any) -> None:
    """Pools by their weights, nodes by name, zones: with any of them gone, the scheduler still finds a place."""
    web = Identity("reconciler.dev", "Deployment", "shop", "web")
    wishes = (Preference(70, {"pool": "general"}, ("a", "b")), Preference(30, {"pool": "spot"}))
    record = Record("abc", wishes, ("zone", "node"), {}, 3, ("n1", "n2"))
    made = manifests(specs(WEB % "web"), filling={web: record}).items
    (pod,) = (m.object["spec"]["template"]["spec"] for i, m in made.items() if i.kind == "Deployment")
    assert not {"nodeName", "nodeSelector"} & pod.keys()
    assert list(pod["affinity"]) == ["nodeAffinity"]
    ((kind, preferred),) = pod["affinity"]["nodeAffinity"].items()
    assert kind == "preferredDuringSchedulingIgnoredDuringExecution"
    assert [(each["weight"], [e["key"] for e in each["preference"]["matchExpressions"]]) for each in preferred] == [
        (70, ["pool", "topology.kubernetes.io/zone"]),
        (30, ["pool"]),
        (100, ["kubernetes.io/hostname"]),
    ]
    assert {each["whenUnsatisfiable"] for each in pod["topologySpreadConstraints"]} == {"ScheduleAnyway"}


def test_pods_that_a_plan_wants_apart_would_rather_not_be_where_their_siblings_are(specs: Any, manifests: Any) -> None:
    """Beside what a spec states of other pods; where it states such a wish itself, that holds."""
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
    wish = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 9, "podAffinityTerm": {"topologyKey": "rack"}}]
    }
    merged = "{template: {spec: {affinity: {podAntiAffinity: %s}}}, image"
    text = "\n---\n".join(
        [
            WEB % "web",
            (WEB % "alone").replace("{image", merged % json.dumps(required)),
            (WEB % "wishes").replace("{image", merged % json.dumps(wish)),
        ]
    )
    names = {name: Identity("reconciler.dev", "Deployment", "shop", name) for name in ("web", "alone", "wishes")}

    def pods(record: Record) -> dict[str, Any]:
        made = manifests(specs(text), filling=dict.fromkeys(names.values(), record)).items
        found = {i.name: m.object["spec"]["template"]["spec"] for i, m in made.items() if i.kind == "Deployment"}
        return {name: (spec.get("affinity") or {}).get("podAntiAffinity") for name, spec in found.items()}

    def apart(name: str) -> dict[str, Any]:
        labels = {"matchLabels": {"app.kubernetes.io/name": name, "reconciler.dev/variant": "stable"}}
        term = {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": labels}
        return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}

    assert pods(Record("h")) == {"web": None, "alone": required, "wishes": wish}, "as before there were such wishes"
    assert pods(Record("h", apart=True)) == {"web": apart("web"), "alone": required | apart("alone"), "wishes": wish}


def test_rendering_never_changes_its_input(specs: Any, manifests: Any) -> None:
    text = "\n---\n".join([WEB % "web", PLAIN % ("a", "x")])
    given = specs(text)
    manifests(given)
    assert given.documents == specs(text).documents
    assert replace(given) == given
