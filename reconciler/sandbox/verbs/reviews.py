"""Kinds that are asked, not stored: who am I, may I, a token. Everybody may do everything here."""

from datetime import timedelta
from typing import Any

from reconciler.http.transport import Response
from reconciler.kube.names import GroupKind
from reconciler.kube.times import stamp
from reconciler.sandbox.refusals import invalid, not_found
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.verbs.call import Call

Value = dict[str, Any]

USER = {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]}


def review(call: Call) -> Response:
    """POST of an access review, a token review or a SelfSubjectReview: the answer is the object with a status."""
    value = call.read(call.body())
    kind = call.kind.resource.kind
    if kind == "SelfSubjectRulesReview":
        every: Value = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        urls: Value = {"verbs": ["*"], "nonResourceURLs": ["*"]}
        value["status"] = {"resourceRules": [every], "nonResourceRules": [urls], "incomplete": False}
    elif kind == "SelfSubjectReview":
        value["status"] = {"userInfo": USER}
    elif kind == "TokenReview":
        value["status"] = {"authenticated": True, "user": USER}
    else:
        spec = value.get("spec") or {}
        if "resourceAttributes" not in spec and "nonResourceAttributes" not in spec:
            causes = Causes()
            causes.invalid("spec.resourceAttributes", None, "one of the attributes must be set")
            raise invalid(call.kind.group_kind, "", causes)
        value["status"] = {"allowed": True}
    return call.respond(value, 201)


def token(call: Call) -> Response:
    """POST of a TokenRequest to a ServiceAccount: a token that says whose it is and opens nothing."""
    entry = call.core.find(call.kind, call.namespace, call.name)
    if entry is None:
        raise not_found("", "serviceaccounts", call.name)
    body = call.body() or {}
    spec = dict(body.get("spec") or {})
    spec.setdefault("expirationSeconds", 3600)
    spec.setdefault("audiences", ["sandbox"])
    until = call.core.time() + timedelta(seconds=spec["expirationSeconds"])
    status = {
        "token": f"sandbox.{call.namespace}.{call.name}.{call.core.suffix(20)}",
        "expirationTimestamp": stamp(until),
    }
    about = {"name": call.name, "namespace": call.namespace, "creationTimestamp": call.core.now()}
    answer = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": about, "spec": spec}
    return call.respond({**answer, "status": status}, 201)


REVIEWS = frozenset(
    (
        GroupKind("authorization.k8s.io", "SelfSubjectAccessReview"),
        GroupKind("authorization.k8s.io", "LocalSubjectAccessReview"),
        GroupKind("authorization.k8s.io", "SubjectAccessReview"),
        GroupKind("authorization.k8s.io", "SelfSubjectRulesReview"),
        GroupKind("authentication.k8s.io", "TokenReview"),
        GroupKind("authentication.k8s.io", "SelfSubjectReview"),
    )
)
