"""No object that the loader lets through stops a review, whatever shape it has."""

import copy
import json
from typing import Any

from amount import examples
from hypothesis import given
from hypothesis import strategies as st
from reviews import review_of
from virtual import virtual

from reconciler.model.cluster_view import NodeView, Resources
from reconciler.review.reviewer import Beside
from reconciler.review.views import json as json_view
from reconciler.review.views import markdown, sarif, text

POD = {
    "hostNetwork": True,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
    "containers": [
        {
            "name": "main",
            "image": "example.com/web:1",
            "ports": [{"containerPort": 80, "hostPort": 80}],
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
            "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}},
        }
    ],
}
LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
RULE = {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get"], "nonResourceURLs": ["/"]}


def stated(api: str, kind: str, name: str = "web", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": {"a": "b"}, "annotations": {}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


OBJECTS = [
    stated("apps/v1", "Deployment", spec={"replicas": 2, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}),
    stated(
        "apps/v1", "StatefulSet", spec={"serviceName": "x", "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
    ),
    stated("batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}),
    stated("batch/v1", "Job", spec={"template": TEMPLATE}),
    stated("v1", "Pod", spec=POD),
    stated("v1", "Service", spec={"type": "ClusterIP", "selector": LABELS, "ports": [{"port": 80}]}),
    stated("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 2, "selector": {"matchLabels": LABELS}}),
    stated("rbac.authorization.k8s.io/v1", "Role", rules=[RULE]),
    stated(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
        subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}],
    ),
    stated("v1", "Namespace", "other"),
    stated("v1", "Secret", data={"key": "YQ=="}, stringData={"other": "b"}),
    stated(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "widgets.example.com",
        spec={
            "group": "example.com",
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    ),
    stated("example.com/v1", "Widget", spec={"size": [1, {"a": None}]}),
]
WEIRD = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "", "x", "100%", "Unconfined", "*"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "app", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in `value`, but what makes it an object."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for step, each in steps for place in places(each, (*path, step))]
    return [place for place in [path, *below] if place and place[-1] not in ("apiVersion", "kind", "namespace")]


@st.composite
def strange(draw: st.DrawFn) -> dict[str, str]:
    """Some of the objects, each with a strange value in up to three places."""
    chosen = draw(st.lists(st.sampled_from(OBJECTS), min_size=1, max_size=4, unique_by=lambda obj: obj["kind"]))
    files = {}
    for obj in chosen:
        made = copy.deepcopy(obj)
        for _ in range(draw(st.integers(0, 3))):
            *way, last = draw(st.sampled_from(places(made)))
            holder: Any = made
            for step in way:
                holder = holder[step]
            holder[last] = draw(WEIRD)
        if draw(st.booleans()):  # of a version that nobody knows, no shape is known either
            made["apiVersion"] = made["apiVersion"].replace("v1", "v9")
        files[obj["kind"].lower()] = json.dumps(made)
    return files


@examples(40)
@given(base=strange(), head=strange())
def test_whatever_its_shape_it_is_reviewed(base: dict[str, str], head: dict[str, str]) -> None:
    @virtual
    async def scenario() -> None:
        beside = Beside(nodes=[NodeView("n", Resources(1000, 2**30))])
        review = await review_of(base, {**dict.fromkeys(base), **head}, beside)
        for view in (text.render, markdown.render, json_view.render, sarif.render):
            assert view(review)

    scenario()


@virtual
async def test_a_budget_whose_selector_is_malformed_stops_no_other_document() -> None:
    """Its server will refuse it; what else is stated is reviewed, and would be applied."""
    for labels in ({"app": "-1"}, [1], True):
        budget = stated("policy/v9", "PodDisruptionBudget", spec={"selector": {"matchLabels": labels}})
        review = await review_of({}, {"odd": json.dumps(budget), "a": json.dumps(stated("v1", "ConfigMap", "a"))})
        assert "a" in {change.identity.name for change in review.effects.merged}
