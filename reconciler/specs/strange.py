"""Kinds that nobody knows offline: one warning for each, not one for each document."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.kube.names import GroupVersionKind
from reconciler.model.problem import Severity
from reconciler.specs.check import Checked
from reconciler.specs.finding import Finding, did_you_mean
from reconciler.specs.ledger import Ledger
from reconciler.specs.scope import Kinds

if TYPE_CHECKING:
    from reconciler.specs.candidate import Candidate


def warn_of_strange_kinds(checked: Iterable[Checked], kinds: Kinds, ledger: Ledger) -> None:
    """Say of each kind that its documents were not validated, and what may have been meant."""
    strange: dict[GroupVersionKind, list[Candidate]] = defaultdict(list)
    for one in checked:
        if one.unknown is not None:
            strange[one.unknown].append(one.candidates[0])
    for gvk, candidates in strange.items():
        first, *more = sorted(candidates, key=lambda candidate: candidate.location)
        count = f"{len(candidates)} documents are" if more else "it is"
        message = f"unknown kind {gvk.kind} of {gvk.api_version}: {count} not validated"
        finding = Finding("unknown-kind", ("kind",), message, _meant(gvk, kinds), severity=Severity.WARNING)
        problem = ledger.teller.finding(finding, (first,), first.part.value)
        ledger.problems.append(replace(problem, also=tuple(candidate.location for candidate in more[:3])))


def _meant(gvk: GroupVersionKind, kinds: Kinds) -> str:
    if versions := kinds.versions(gvk.group_kind):
        return f"known versions: {', '.join(versions)}"
    everything = kinds.everything()
    if same := sorted({other.api_version for other in everything if other.kind == gvk.kind}):
        return f"did you mean apiVersion: {' or '.join(same)}?"
    if group := {other.kind for other in everything if other.group == gvk.group}:
        return did_you_mean(gvk.kind, sorted(group))
    return "its CustomResourceDefinition is not in this source"
