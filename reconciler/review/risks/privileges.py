"""Somebody may do more than before: RBAC rules that grow, and subjects that are bound."""

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.kube.kinds import RBAC
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.review.risks.case import Case, Object, mapping, maps, risk, some, texts


class _Grant(NamedTuple):
    """One verb on one resource (or path); `group` "" for the core and for paths, `name` "*" for all of a resource."""

    group: str
    resource: str
    name: str
    verb: str

    def covers(self, other: "_Grant") -> bool:
        return all(mine in ("*", its) for mine, its in zip(self, other, strict=True))

    def __str__(self) -> str:
        what = "everything" if self.resource == "*" else self.resource
        named = f" {self.name}" if self.name != "*" else ""
        where = f" of {self.group}" if self.group not in ("", "*") else ""
        return f"{'do anything with' if self.verb == '*' else self.verb} {what}{named}{where}"


def find(case: Case) -> Iterator[Risk]:
    """Roles whose rules allow what they did not, and bindings of subjects that were not bound."""
    for manifest, before in case.touched():
        kind = manifest.identity.kind
        if manifest.identity.group != RBAC:
            continue
        if kind in ("Role", "ClusterRole"):
            had = list(_grants(before))
            wider = [str(g) for g in _grants(manifest.object) if not any(old.covers(g) for old in had)]
            if wider:
                yield risk(RiskCode.WIDER_PRIVILEGES, manifest, f"allows more: {some(wider)}")
        elif kind in ("RoleBinding", "ClusterRoleBinding"):
            role = _role(manifest.object)
            known = set(_subjects(before)) if _role(before) == role else ()
            if bound := [subject for subject in _subjects(manifest.object) if subject not in known]:
                yield risk(RiskCode.WIDER_PRIVILEGES, manifest, f"{some(bound)} would have {role}")


def _grants(role: Object | None) -> Iterator[_Grant]:
    for rule in maps((role or {}).get("rules")):
        verbs = texts(rule.get("verbs"))
        for path in texts(rule.get("nonResourceURLs")):
            yield from (_Grant("", path, "*", verb) for verb in verbs)
        for group in texts(rule.get("apiGroups")):
            for resource in texts(rule.get("resources")):
                for name in texts(rule.get("resourceNames")) or ["*"]:
                    yield from (_Grant(group, resource, name, verb) for verb in verbs)


def _role(binding: Object | None) -> str:
    role = mapping((binding or {}).get("roleRef"))
    return f"{role.get('kind')} {role.get('name')}"


def _subjects(binding: Object | None) -> Iterator[str]:
    for subject in maps((binding or {}).get("subjects")):
        space = f"{subject.get('namespace')}/" if subject.get("namespace") else ""
        yield f"{subject.get('kind')} {space}{subject.get('name')}"
