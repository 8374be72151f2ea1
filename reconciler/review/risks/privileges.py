"""Somebody may do more than before: RBAC rules that grow, and subjects that are bound."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple

from reconciler.kube.kinds import RBAC
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.review.risks.case import Case, Object, mapping, maps, risk, some, texts

_MOST: Final = 5_000_000  # steps of comparing a role with what it was; some 0.5 s
_PAIR: Final = 10  # steps to look at one rule beside another, before what is in it
_UNTOLD: Final = "perhaps others, as its rules are too many to compare"


class _Rule(NamedTuple):
    """Every verb on every resource (or, with `paths`, path); "*" among them is all. Each in the order it is stated."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    verbs: tuple[str, ...]
    paths: bool = False

    @property
    def sets(self) -> "_Sets":
        return _Sets(
            frozenset(self.groups), frozenset(self.resources), frozenset(self.names), frozenset(self.verbs), self.paths
        )

    def grants(self) -> "Iterator[_Rule]":
        """One for each verb on each thing: they are as many as the product of its parts."""
        for group, resource, name in product(self.groups, self.resources, self.names):
            for verb in self.verbs:
                yield _Rule((group,), (resource,), (name,), (verb,), self.paths)

    def __str__(self) -> str:
        """Of a grant."""
        (group, *_), (resource, *_), (name, *_), (verb, *_), _ = self
        what = "everything" if resource == "*" else resource
        named = f" {name}" if name != "*" else ""
        where = f" of {group}" if group not in ("", "*") else ""
        return f"{'do anything with' if verb == '*' else verb} {what}{named}{where}"


class _Sets(NamedTuple):
    """A rule that others are looked up in."""

    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    verbs: frozenset[str]
    paths: bool

    def cover(self, rule: _Rule) -> bool:
        """Whether this rule alone allows all that another does."""
        return self.paths is rule.paths and all(
            "*" in mine or mine.issuperset(its) for mine, its in zip(self[:4], rule[:4], strict=True)
        )


def find(case: Case) -> Iterator[Risk]:
    """Roles whose rules allow what they did not, and bindings of subjects that were not bound."""
    for manifest, before in case.touched():
        kind = manifest.identity.kind
        if manifest.identity.group != RBAC:
            continue
        if kind in ("Role", "ClusterRole"):
            wider, whole = _wider(manifest.object, list(_rules(before)))
            if wider or not whole:
                said = [some(wider)] if wider else []
                said += [] if whole else [_UNTOLD]
                yield risk(RiskCode.WIDER_PRIVILEGES, manifest, f"allows more: {'; '.join(said)}")
        elif kind in ("RoleBinding", "ClusterRoleBinding"):
            role = _role(manifest.object)
            known = set(_subjects(before)) if _role(before) == role else ()
            if bound := [subject for subject in _subjects(manifest.object) if subject not in known]:
                yield risk(RiskCode.WIDER_PRIVILEGES, manifest, f"{some(bound)} would have {role}")


def _wider(role: Object, had: Sequence[_Rule]) -> tuple[list[str], bool]:
    """What a role allows that its rules before did not, in words, and whether that is all: who states the rules decides
    how many grants they are, and not all are compared."""
    known, left, found = set(had), _MOST, list[str]()
    sets = [old.sets for old in had]
    for rule in _rules(role):
        if rule in known:
            continue
        left -= (len(sets) + 1) * (_PAIR + sum(map(len, rule[:4])))
        if left > 0 and any(old.cover(rule) for old in sets):
            continue
        for grant in rule.grants():
            left -= (len(sets) + 2) * _PAIR
            if left <= 0:
                return found, False
            if not any(old.cover(grant) for old in sets):
                found.append(str(grant))
    return found, True


def _rules(role: Object | None) -> Iterator[_Rule]:
    for rule in maps((role or {}).get("rules")):
        parts = (rule.get("apiGroups"), rule.get("resources"), rule.get("resourceNames"), rule.get("verbs"))
        groups, resources, names, verbs = (tuple(texts(part)) for part in parts)
        if paths := tuple(texts(rule.get("nonResourceURLs"))):
            yield _Rule(("",), paths, ("*",), verbs, paths=True)
        yield _Rule(groups, resources, names or ("*",), verbs)


def _role(binding: Object | None) -> str:
    role = mapping((binding or {}).get("roleRef"))
    return f"{role.get('kind')} {role.get('name')}"


def _subjects(binding: Object | None) -> Iterator[str]:
    for subject in maps((binding or {}).get("subjects")):
        space = f"{subject.get('namespace')}/" if subject.get("namespace") else ""
        yield f"{subject.get('kind')} {space}{subject.get('name')}"
