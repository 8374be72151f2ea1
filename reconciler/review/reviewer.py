"""From two revisions to a review of the merge of one into the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from reconciler.cluster.cluster import Cluster
from reconciler.engine.planning import Made
from reconciler.engine.preview import Previewer
from reconciler.engine.surroundings import Desired
from reconciler.engine.wanting import Wanting
from reconciler.kube.definitions import Served, serving
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.kube.openapi import catalog
from reconciler.model.cluster_view import NodeView
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Manifest, Owner
from reconciler.model.problem import Problem, Severity
from reconciler.model.review_rules import Level, ReviewRules, RiskCode
from reconciler.model.snapshot import Revision, Snapshot
from reconciler.model.state import SourceState
from reconciler.review.assess import assess
from reconciler.review.building import image_changes
from reconciler.review.decisions import compared
from reconciler.review.effects import Effects, on_base, on_cluster
from reconciler.review.review import Review
from reconciler.review.risks.case import Case
from reconciler.specs.settings import NAME


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside the repository. Without `cluster` the head is compared with the base alone.

    `messages` are those of the commits that the merge brings. `nodes` None: it is not known what there is.
    """

    cluster: Cluster | None = None
    state: SourceState | None = None
    nodes: Sequence[NodeView] | None = None
    messages: tuple[str, ...] = ()


class Reviewer:
    """Reviews merges of one source; what revisions have in common is read, and compared with the cluster, once."""

    def __init__(
        self, config: SourceConfig, owner: Owner, wanting: Wanting, made: Callable[[], Made | None] = lambda: None
    ) -> None:
        """`made` gives the plan that the revision which was wanted last was filled in from; None where nobody plans."""
        self._config = config
        self._owner = owner
        self._wanting = wanting
        self._made = made
        self._previewer: tuple[Cluster, Previewer] | None = None

    async def review(self, base: Snapshot, merged: Snapshot, head: Revision, beside: Beside) -> Review:
        """What `merged` would do to `base`: what merging `head` into it gives.

        Raises ReconcilerError where the repository or the cluster cannot be read.
        """
        before, without = await self._wanting.of(base), self._made()
        after, with_ = await self._wanting.of(merged), self._made()
        decisions = compared(without, with_) if without is not None and with_ is not None else None
        effects = await self._effects(before, after, beside)
        case = Case(
            base=before.manifests.items,
            head=after.manifests.items,
            changes=effects.merged,
            served=_served(beside.cluster, {**before.manifests.items, **after.manifests.items}),
            nodes=beside.nodes,
            unplaced=decisions.unplaced if decisions is not None else {},
        )
        rules = _rules(before)
        known = {_what(problem) for problem in before.problems}
        problems = after.problems
        return Review(
            source=self._config.name,
            base=base.revision,
            head=head,
            against=_against(effects) if beside.cluster is not None else "the base alone",
            effects=effects,
            problems=problems,
            inherited=frozenset(problem for problem in problems if _what(problem) in known),
            risks=assess(case, rules),
            wanted=after,
            rules=rules,
            images=image_changes(before.images.pinned, after.images.pinned),
            decisions=decisions,
        )

    async def _effects(self, before: Desired, after: Desired, beside: Beside) -> Effects:
        if beside.cluster is None:
            return on_base(before, after, config=self._config, owner=self._owner, messages=beside.messages)
        known = self._previewer
        if known is None or known[0] is not beside.cluster:
            previewer = Previewer(beside.cluster, self._config, self._owner)
            known = self._previewer = (beside.cluster, previewer)
        state = beside.state or SourceState(self._config.name)
        return await on_cluster(before, after, previewer=known[1], state=state, messages=beside.messages)


def _rules(base: Desired) -> ReviewRules:
    """Those of the base. Where they cannot be read every danger blocks: who mends them gets nothing past them."""
    stated = base.specs.review or ReviewRules()
    if not any(p.severity is Severity.ERROR and PurePosixPath(p.location.path).name == NAME for p in base.problems):
        return stated
    return ReviewRules(dict.fromkeys(map(str, RiskCode), Level.BLOCK), stated.approvers)


def _against(effects: Effects) -> str:
    kinds = ", ".join(sorted(kind.kind for kind in effects.untried))
    untried = f", where {kinds} could not be tried: dry-runs need the right to write" if kinds else ""
    return f"the cluster{untried}"


def _what(problem: Problem) -> tuple[str, ...]:
    """What is wrong, wherever in its file it stands now."""
    return problem.code, problem.location.path, problem.subject, problem.message


def _served(cluster: Cluster | None, manifests: Mapping[Identity, Manifest]) -> Served:
    """Whether a version of a kind is served: by the cluster, or else by Kubernetes as it is built in here.

    What a definition in Git says counts; of a group that is only known to a cluster, nothing is said
    without one.
    """
    defined = serving(each.object for each in manifests.values() if each.identity.group_kind == DEFINITION)
    builtin = catalog()
    groups = {resource.group for resource in builtin.resources()}

    def served(gvk: GroupVersionKind) -> bool | None:
        if (stated := defined(gvk)) is not None:
            return stated
        if cluster is not None:
            return cluster.discovery.known(GroupKind(gvk.group, gvk.kind), gvk.version) is not None
        return builtin.knows(gvk) if gvk.group in groups else None

    return served
