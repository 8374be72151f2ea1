"""Rules for names, labels and annotations that Kubernetes states in prose, and our own for `reconciler.dev/`.

Sources: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.kube.kinds import RBAC
from reconciler.kube.names import DNS_1035_LABEL, DNS_LABEL, DNS_SUBDOMAIN, GroupKind, Identity
from reconciler.model.manifest import (
    ANNOTATION_ADOPT,
    ANNOTATION_DEPENDS_ON,
    ANNOTATION_DRIFT,
    ANNOTATION_ID,
    ANNOTATION_IGNORE,
    ANNOTATION_ORIGIN,
    ANNOTATION_PRUNE,
    ANNOTATION_REPLACE,
    ANNOTATION_SPEC,
    DriftMode,
)
from reconciler.model.reference import ObjectReference, references
from reconciler.model.spec import GROUP
from reconciler.specs.finding import Finding, did_you_mean, shown

JSON = Any

_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[^/%]+")
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")

_SUBDOMAIN_RULE: Final = (
    DNS_SUBDOMAIN,
    253,
    "lower-case letters, digits, dashes and dots, beginning and ending with a letter or digit",
)
_LABEL_RULE: Final = (
    DNS_LABEL,
    63,
    "lower-case letters, digits and dashes, beginning and ending with a letter or digit",
)
_SERVICE_RULE: Final = (DNS_1035_LABEL, 63, "lower-case letters, digits and dashes, beginning with a letter")
_SEGMENT_RULE: Final = (_SEGMENT, 1024, "anything without / and %, but not . or ..")
_RULES: Final[Mapping[GroupKind, tuple[re.Pattern[str], int, str]]] = {
    GroupKind("", "Namespace"): _LABEL_RULE,
    GroupKind("", "Service"): _SERVICE_RULE,
    GroupKind("batch", "CronJob"): (DNS_SUBDOMAIN, 52, "at most 52 " + _SUBDOMAIN_RULE[2]),
    GroupKind("networking.k8s.io", "IPAddress"): _SEGMENT_RULE,
    **dict.fromkeys(
        (GroupKind(RBAC, kind) for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")), _SEGMENT_RULE
    ),
    **dict.fromkeys((GroupKind(GROUP, kind) for kind in ("Deployment", "Image", "Task")), _LABEL_RULE),
}

_FLAGS: Final = (ANNOTATION_ADOPT, ANNOTATION_PRUNE, ANNOTATION_REPLACE)
_STATED: Final = (*_FLAGS, ANNOTATION_DEPENDS_ON, ANNOTATION_DRIFT, ANNOTATION_IGNORE)
_STAMPED: Final = (
    ANNOTATION_ID,
    ANNOTATION_ORIGIN,
    ANNOTATION_SPEC,
)  # a copied object may carry them; they are replaced


def names(identity: Identity, *, known: bool) -> Iterator[Finding]:
    """What is wrong with a name and namespace. Of a kind that is not `known` the API itself asks little."""
    pattern, length, rule = _RULES.get(identity.group_kind, _SUBDOMAIN_RULE if known else _SEGMENT_RULE)
    if len(identity.name) > length:
        yield Finding(
            "bad-name",
            ("metadata", "name"),
            f"the name has {len(identity.name)} characters, at most {length} are allowed",
        )
    elif not pattern.fullmatch(identity.name):
        yield Finding(
            "bad-name",
            ("metadata", "name"),
            f"{shown(identity.name)} is not a valid name",
            f"a {identity.kind} name has {rule}",
        )
    if identity.namespace and not (len(identity.namespace) <= 63 and DNS_LABEL.fullmatch(identity.namespace)):
        message = f"{shown(identity.namespace)} is not a valid namespace"
        yield Finding("bad-name", ("metadata", "namespace"), message, f"a namespace has {_LABEL_RULE[2]}, at most 63")


def marks(metadata: Mapping[str, JSON]) -> Iterator[Finding]:
    """What is wrong with labels and annotations that are maps of texts."""
    for part in ("labels", "annotations"):
        for key, value in (metadata.get(part) or {}).items():
            prefix, slash, name = key.rpartition("/")
            if not _QUALIFIED.fullmatch(name) or (
                slash and not (len(prefix) <= 253 and DNS_SUBDOMAIN.fullmatch(prefix))
            ):
                hint = "it is a name of at most 63 characters, with an optional DNS name and / before it"
                yield Finding("bad-name", ("metadata", part, key), f"{shown(key)} is not a valid key", hint, key=True)
            if part == "labels" and not _VALUE.fullmatch(value):
                hint = "at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit"
                yield Finding("bad-value", ("metadata", part, key), f"{shown(value)} is not a valid label value", hint)
            if part == "annotations" and prefix == GROUP:
                yield from _ours(key, value)


def _ours(name: str, value: str) -> Iterator[Finding]:
    path = ("metadata", "annotations", name)
    if name in _FLAGS:
        if value not in ("true", "false"):
            yield Finding("bad-annotation", path, f'{shown(value)} is not "true" or "false"')
    elif name == ANNOTATION_DRIFT:
        if value not in tuple(DriftMode):
            hint = did_you_mean(value, DriftMode)
            yield Finding("bad-annotation", path, f"{shown(value)} is not one of {', '.join(DriftMode)}", hint)
    elif name == ANNOTATION_IGNORE:
        for pointer in references(value):
            if not pointer.startswith("/"):
                yield Finding(
                    "bad-annotation", path, f"{shown(pointer)} is not a JSON pointer", "such as /spec/replicas"
                )
    elif name == ANNOTATION_DEPENDS_ON:
        for reference in references(value):
            try:
                ObjectReference.parse(reference)
            except ValueError as error:
                yield Finding("bad-annotation", path, f"{shown(reference)} is not a reference: {error}")
    elif name not in _STAMPED:
        hint = did_you_mean(name, _STATED) or f"known are {', '.join(sorted(_STATED))}"
        yield Finding("unknown-annotation", path, f"unknown annotation {shown(name)}", hint, key=True)
