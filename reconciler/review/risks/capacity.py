"""Pods that no node can hold, or for which there is no room."""

from collections.abc import Iterator

from reconciler.kube.pod_requests import Amounts, requested
from reconciler.model.cluster_view import NodeView
from reconciler.model.reading import resources_of
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.render.podspec import pod_spec
from reconciler.review.risks.case import Case, risk


def find(case: Case) -> Iterator[Risk]:
    """Workloads that ask for more than the largest node has, and those that the planner finds no place for."""
    if case.unplaced:  # the merge may push aside what it does not touch
        for manifest in case.head.values():
            why = case.unplaced.get(manifest.planned_as)
            if why and pod_spec(manifest.identity.group_kind, manifest.object) is not None:
                yield risk(RiskCode.NO_ROOM, manifest, why)
    for manifest, _before in case.touched():
        spec = pod_spec(manifest.identity.group_kind, manifest.object)
        if spec is None or not case.nodes or manifest.planned_as in case.unplaced:
            continue
        try:
            asked = requested(spec)
        except (ValueError, TypeError, AttributeError):  # the server will say what is wrong with it
            continue
        if not any(_holds(node, asked) for node in case.nodes):
            cpu, memory = asked.get("cpu", 0), asked.get("memory", 0)
            text = f"no node is large enough for one of its pods ({cpu / 1000:g} CPUs, {memory / 2**30:.3g} GiB)"
            yield risk(RiskCode.NO_ROOM, manifest, text)


def _holds(node: NodeView, asked: Amounts) -> bool:
    """Whether an empty `node` has as much of everything."""
    wanted, has = resources_of(asked), node.allocatable
    extended = dict(has.extended)
    return (
        wanted.cpu <= has.cpu
        and wanted.memory <= has.memory
        and wanted.ephemeral <= has.ephemeral
        and all(extended.get(name, 0) >= count for name, count in wanted.extended)
    )
