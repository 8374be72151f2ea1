"""What generated sequences once showed: calls to which the embedded server had another answer than the real one.

Each case is a sequence of calls, made on both; all answers agree, and the last one has the status that is stated.
"""

from collections import Counter
from typing import Any

import pytest
from generated_calls import Pair, Step
from generated_kinds import KINDS, definition
from kubernetes_api import Connection
from sandbox_api import APPLY, JSON_PATCH, MERGE, STRATEGIC

BY = {kind.plural: kind for kind in KINDS}


def made(plural: str, **edits: Any) -> Step:
    """A valid object of a kind, with some fields of its spec."""
    return Step("POST", BY[plural].collection, stated(plural, **edits), query=(("fieldManager", "anna"),))


def stated(plural: str, **edits: Any) -> Any:
    body = BY[plural].valid(BY[plural].names[0])
    return {**body, "spec": {**body.get("spec", {}), **edits}} if edits else body


def at(plural: str, below: str = "") -> str:
    return f"{BY[plural].collection}/{BY[plural].names[0]}{below}"


def patched(plural: str, patch: Any, media: str = MERGE, below: str = "", **query: str) -> Step:
    return Step("PATCH", at(plural, below), patch, media, (("fieldManager", "ben"), *query.items()))


def applied(plural: str, body: Any, below: str = "", **query: str) -> Step:
    body = {**BY[plural].identity(BY[plural].names[0]), **body}
    return patched(plural, body, APPLY, below, **query)


def scaled(plural: str, spec: Any, **query: str) -> Step:
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "one"}, "spec": spec}
    return patched(plural, body, APPLY, "/scale", **query)


def seen(plural: str) -> Step:
    return Step("GET", at(plural))


FORCE = {"force": "true"}
LIMIT = "revisionHistoryLimit"
CASES: dict[str, tuple[int, tuple[Step, ...]]] = {
    "a whole number with a point is no integer in JSON": (400, (made("deployments", **{LIMIT: 10.0}),)),
    "nor in a merge patch": (422, (made("deployments"), patched("deployments", {"spec": {LIMIT: 10.0}}))),
    "nor in a JSON patch": (
        422,
        (
            made("deployments"),
            patched("deployments", [{"op": "add", "path": f"/spec/{LIMIT}", "value": 1.0}], JSON_PATCH),
        ),
    ),
    "but it is one in a strategic merge patch": (
        200,
        (made("deployments"), patched("deployments", {"spec": {LIMIT: 10.0}}, STRATEGIC)),
    ),
    "what is applied keeps as many bits as the type has": (
        200,
        (made("deployments"), applied("deployments", {"spec": {LIMIT: 2**32 + 1}}, **FORCE), seen("deployments")),
    ),
    "a number beyond all integers becomes zero": (
        200,
        (made("deployments"), applied("deployments", {"spec": {LIMIT: 2**63}}, **FORCE), seen("deployments")),
    ),
    "one that becomes negative is refused as such": (
        422,
        (made("deployments"), applied("deployments", {"spec": {LIMIT: 2**31}}, **FORCE)),
    ),
    "bytes may be a list of numbers": (
        200,
        (made("configmaps"), patched("configmaps", {"binaryData": {"b": [1, 2]}}), seen("configmaps")),
    ),
    "a null among them is a zero": (200, (made("configmaps"), patched("configmaps", {"binaryData": {"b": [None]}}))),
    "an object among them is none": (422, (made("configmaps"), patched("configmaps", {"binaryData": {"b": [{}]}}))),
    "an empty map is a change of what may not change": (
        422,
        (
            Step("POST", BY["configmaps"].collection, {**stated("configmaps"), "immutable": True}),
            patched("configmaps", {"binaryData": {"b": None}}),
        ),
    ),
    "an empty one is none where there is always one": (
        200,
        (
            Step("POST", BY["configmaps"].collection, {**BY["configmaps"].identity("one"), "immutable": True}),
            patched("configmaps", {"data": {"b": None}}),
        ),
    ),
    "but nobody owns it": (
        200,
        (made("configmaps"), patched("configmaps", {"binaryData": {"b": None}}), seen("configmaps")),
    ),
    "a list whose items have no key leaves no owners": (
        200,
        (made("serviceaccounts"), patched("serviceaccounts", {"secrets": [{"kind": "x"}]}), seen("serviceaccounts")),
    ),
    "and nothing can be applied to it": (
        500,
        (
            made("serviceaccounts"),
            patched("serviceaccounts", {"secrets": [{"kind": "x"}]}),
            applied("serviceaccounts", {}),
        ),
    ),
    "nor can anything be applied where somebody owned the item": (
        500,
        (applied("serviceaccounts", {"secrets": [{"name": None}]}), applied("serviceaccounts", {})),
    ),
    "who replaces such a list has no owners left": (
        200,
        (
            applied("serviceaccounts", {"secrets": [{"name": None}]}),
            Step("PUT", at("serviceaccounts"), stated("serviceaccounts"), query=(("fieldManager", "anna"),)),
            seen("serviceaccounts"),
        ),
    ),
    "nor has one with something else in the place of a map": (
        200,
        (
            made("cronjobs"),
            patched("cronjobs", {"spec": {"jobTemplate": {"metadata": {"managedFields": [{"fieldsV1": True}]}}}}),
            seen("cronjobs"),
        ),
    ),
    "a patch of a list without its merge key": (
        500,
        (made("services"), patched("services", {"spec": {"ports": [{"nodePort": 1}]}}, STRATEGIC)),
    ),
    "a list of objects has no null to be merged with": (
        500,
        (made("services"), patched("services", {"spec": {"ports": [None]}}, STRATEGIC)),
    ),
    "another name counts before another revision": (
        400,
        (
            made("deployments"),
            applied(
                "deployments",
                {"metadata": {"name": "x", "resourceVersion": "1"}, "spec": {"replicas": 3}},
                **FORCE,
            ),
        ),
    ),
    "an object that does not exist has no uid": (
        409,
        (applied("gadgets", {"metadata": {"name": "one", "uid": "u"}, "spec": {"limit": {"x": 1}}}),),
    ),
    "unless it cannot be read anyway": (
        500,
        (applied("poddisruptionbudgets", {"metadata": {"name": "one", "uid": "u"}, "spec": {"minAvailable": [{}]}}),),
    ),
    "a selector that cannot be read hides the template": (
        422,
        (made("deployments", selector={"matchExpressions": [{"key": "a", "operator": "x"}]}, template={}),),
    ),
    "a set's claims become its pods' volumes": (
        422,
        (made("statefulsets", volumeClaimTemplates=[{"metadata": {}, "spec": {}}]),),
    ),
    "a set's pods restart, whatever it selects": (
        422,
        (
            made(
                "statefulsets",
                selector={"matchLabels": {"Not a key!": "x"}},
                template={"spec": {"restartPolicy": "Sometimes"}},
            ),
        ),
    ),
    "a set's service has the name of one": (422, (made("statefulsets", serviceName="Not A Name!"),)),
    "a list of addresses needs the first one": (422, (made("services", clusterIPs=["10.96.0.9"]),)),
    "what comes before it is no address because it is one": (
        422,
        (
            made("services"),
            patched("services", [{"op": "add", "path": "/spec/clusterIPs/0", "value": None}], JSON_PATCH),
        ),
    ),
    "a family that is none hides whether addresses fit": (
        422,
        (made("services"), patched("services", {"spec": {"ipFamilies": ["x"]}})),
    ),
    "a health check's port needs a balancer": (
        422,
        (made("services"), patched("services", {"spec": {"healthCheckNodePort": 31000}})),
    ),
    "a port's protocol is named where it is stated": (
        422,
        (made("services", ports=[{"port": 80, "appProtocol": ""}]),),
    ),
    "how traffic is distributed": (422, (made("services", trafficDistribution="x"),)),
    "a mode of no address": (
        422,
        (
            made("services", type="LoadBalancer"),
            patched("services", {"status": {"loadBalancer": {"ingress": [{"ipMode": "VIP"}]}}}, MERGE, "/status"),
        ),
    ),
    "a mode that there is not": (
        422,
        (
            made("services", type="LoadBalancer"),
            patched(
                "services",
                {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4", "ipMode": "x"}]}}},
                MERGE,
                "/status",
            ),
        ),
    ),
    "a name has no policy of families, not even an empty one": (
        422,
        (made("services", type="ExternalName", ipFamilyPolicy=""),),
    ),
    "a dry run takes any port": (
        200,
        (
            made("services", type="NodePort"),
            patched("services", {"spec": {"ports": [{"port": 80, "nodePort": 5}]}}, dryRun="All"),
        ),
    ),
    "a Service that becomes a name gives all back": (
        200,
        (
            made("services", type="NodePort"),
            patched("services", {"spec": {"type": "ExternalName", "externalName": "a.example.com"}}),
            seen("services"),
        ),
    ),
    "and gets an address again": (
        200,
        (
            made("services", type="ExternalName", externalName="a.example.com"),
            patched("services", {"spec": {"type": "ClusterIP", "externalName": None}}),
            seen("services"),
        ),
    ),
    "nothing scales to zero here": (422, (made("horizontalpodautoscalers", minReplicas=0),)),
    "a metric without a type is checked for all that": (
        422,
        (made("horizontalpodautoscalers", metrics=[{"pods": {"metric": {}, "target": {}}}]),),
    ),
    "roles are collected by selectors": (
        422,
        (
            Step(
                "POST",
                BY["clusterroles"].collection,
                {
                    **BY["clusterroles"].valid("mine-a"),
                    "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"bad key": "x"}}]},
                },
            ),
        ),
    ),
    "a failure policy replaces pods only when they have failed": (
        422,
        (made("jobs", podFailurePolicy={"rules": []}, podReplacementPolicy="TerminatingOrFailed"),),
    ),
    "a suspended Job's containers are not taken away": (
        422,
        (
            made("jobs", suspend=True),
            patched("jobs", [{"op": "replace", "path": "/spec/template/spec/containers", "value": None}], JSON_PATCH),
        ),
    ),
    "what owners own is an object": (
        500,
        (applied("jobs", {"spec": {"template": {"metadata": {"managedFields": [{"fieldsV1": 1.5}]}, "spec": {}}}}),),
    ),
    "failed indexes need a limit for each": (422, (made("jobs", maxFailedIndexes=1),)),
    "a backend of no group": (422, (made("ingresses", defaultBackend={"resource": {"name": "x"}}),)),
    "a budget's metadata is looked at last": (
        422,
        (
            Step(
                "POST",
                BY["poddisruptionbudgets"].collection,
                {
                    "apiVersion": "policy/v1",
                    "kind": "PodDisruptionBudget",
                    "metadata": {"name": "one", "labels": {"a": "not a value!"}},
                    "spec": {"minAvailable": "150%"},
                },
            ),
        ),
    ),
    "a field that must be there is there when it is null": (422, (made("widgets", ports=[{"port": None}]),)),
    "an item of a list of objects is one": (422, (made("widgets", ports=["text"]),)),
    "fields of an object where a list belongs are unknown": (
        422,
        (made("gadgets"), patched("gadgets", {"spec": {"ports": {"a": ""}}}, fieldValidation="Strict")),
    ),
    "and so are those in a list where an object belongs": (
        422,
        (made("gadgets"), patched("gadgets", {"spec": {"counts": [{"a": ""}]}}, fieldValidation="Strict")),
    ),
    "a list where an object belongs is looked at no closer": (422, (made("gadgets", counts=[None]),)),
    "a spec that is null has no number to scale": (422, (applied("widgets", {"spec": None}),)),
    "a field that may be a number or text, stated as an object, has fields that nobody knows": (
        400,
        (
            Step(
                "POST",
                BY["gadgets"].collection,
                stated("gadgets", limit={"x": 1}),
                query=(("fieldValidation", "Strict"),),
            ),
        ),
    ),
    "a namespace asks for a level of security that there is": (
        422,
        (
            Step(
                "POST",
                BY["namespaces"].collection,
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": "mine-a", "labels": {"pod-security.kubernetes.io/warn": ""}},
                },
            ),
        ),
    ),
    "a resource of somebody else's is not promised twice": (
        422,
        (
            made(
                "deployments",
                template={
                    "metadata": {"labels": {"app": "one"}},
                    "spec": {
                        "containers": [
                            {"name": "a", "image": "x", "resources": {"requests": {"example.com/gpu": "1"}}},
                        ]
                    },
                },
            ),
        ),
    ),
    "a policy binding's actions are known words": (
        422,
        (
            Step(
                "POST",
                "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "ValidatingAdmissionPolicyBinding",
                    "metadata": {"name": "mine-a"},
                    "spec": {"policyName": "p", "validationActions": ["Warn", "Auditx"]},
                },
            ),
        ),
    ),
    "what has no fields may be applied with any": (
        200,
        (
            applied(
                "customresourcedefinitions",
                {
                    "spec": {
                        **definition("apples", "Apple", "mine-x.example.com", subresources={"status": {"x": 1}})["spec"]
                    }
                },
            ),
            seen("customresourcedefinitions"),
        ),
    ),
    "what was made as if it were deleted is never Active": (
        422,
        (
            applied("namespaces", {"metadata": {"name": "mine-a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            applied("namespaces", {}, "/status", **FORCE),
        ),
    ),
    "a field that may be a number or text is nobody's type to an apply": (
        422,
        (applied("widgets", {"spec": {"limit": []}}),),
    ),
    "a Scale of another object": (
        400,
        (
            made("deployments"),
            Step(
                "PATCH",
                at("deployments", "/scale"),
                {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "two"}, "spec": {"replicas": 2}},
                APPLY,
                (("fieldManager", "ben"), ("force", "true")),
            ),
        ),
    ),
    "a Scale below zero": (422, (made("deployments"), scaled("deployments", {"replicas": -1}, **FORCE))),
    "a Scale of null is zero": (
        200,
        (made("deployments"), scaled("deployments", {"replicas": None}, **FORCE), seen("deployments")),
    ),
    "a Scale that states nothing any more": (
        200,
        (
            made("deployments"),
            scaled("deployments", {"replicas": 3}, **FORCE),
            scaled("deployments", {}),
            seen("deployments"),
        ),
    ),
    "a Scale written as it is parts its owner in two": (
        200,
        (made("deployments"), patched("deployments", {"spec": {"replicas": 1}}, MERGE, "/scale"), seen("deployments")),
    ),
    "zero replicas of a Scale are nobody's": (
        200,
        (made("widgets"), patched("widgets", {"spec": {"replicas": 0}}, MERGE, "/scale"), seen("widgets")),
    ),
    "a custom resource's Scale cannot be applied": (
        500,
        (made("widgets"), scaled("widgets", {"replicas": 3}, **FORCE)),
    ),
    "what a Scale makes room for is filled in": (
        200,
        (
            applied("widgets", {}),
            patched("widgets", {"spec": {"replicas": 0}}, MERGE, "/scale"),
            seen("widgets"),
        ),
    ),
    "unless that changes nothing": (200, (made("widgets"), scaled("widgets", {"replicas": 2}), seen("widgets"))),
    "a custom resource without the number has no Scale": (
        500,
        (applied("widgets", {}), Step("GET", at("widgets", "/scale"))),
    ),
    "what the server drops again still counts as a write": (
        200,
        (
            applied("namespaces", {}),
            applied("namespaces", {"status": {"phase": "Active"}}, "/status", **FORCE),
            applied("namespaces", {"spec": {}}, **FORCE),
            applied("namespaces", {"spec": {}, "status": {"phase": "X"}}, **FORCE),
        ),
    ),
}


@pytest.fixture(scope="module")
def pair(connection: Connection) -> Pair:
    return Pair(connection)


@pytest.mark.parametrize("case", CASES)
def test_both_servers_answer_alike(pair: Pair, case: str) -> None:
    status, steps = CASES[case]
    answered: Counter[str] = Counter()
    disagreement = pair.play(steps, answered)
    assert disagreement is None, str(disagreement)
    assert list(answered)[-1].endswith(str(status)), list(answered)
