"""A review's plan, frozen; and whether what it was made of is still so."""

import asyncio
from collections.abc import Iterable, Sequence

from reconciler import __version__
from reconciler.cluster.cluster import Cluster
from reconciler.diff.owned import fingerprint
from reconciler.engine.filling import Asking
from reconciler.engine.image_documents import is_stand_in
from reconciler.engine.images import AsStated, Known
from reconciler.errors import ConfigError, NotFound
from reconciler.model.change import QUIET, Change
from reconciler.model.config import SourceConfig
from reconciler.model.filled import Filling
from reconciler.model.manifest import MANAGER
from reconciler.model.review import Verdict
from reconciler.model.saved import ABSENT, FORMAT, SavedChange, SavedDecision, SavedImage, SavedPlan
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.render.surroundings import Pools
from reconciler.review.review import Review

_HINT = "plan again, and look at it again"


async def saved(
    review: Review, cluster: Cluster, config: SourceConfig, *, base_ref: str, install: str, pools: Pools | None
) -> SavedPlan:
    """What `review` found beside `cluster`, with what it decided. Raises ConfigError where that cannot be frozen.

    `pools` None: nobody planned.
    """
    if review.verdict is Verdict.INVALID:
        raise ConfigError("the head is invalid, so no plan is saved", hint="see its problems")
    wanted = review.wanted
    if wanted is None:
        raise ValueError("what was wanted was let go")
    if wanted.snapshot.revision.commit != review.head.commit:
        hint = "merge the base into the branch first: a plan is applied from the very commit that it is for"
        raise ConfigError("the head lags behind its base, so no plan is saved", hint=hint)
    pinned = wanted.images.pinned or {}
    for identity, reference in sorted(pinned.items()):
        if is_stand_in(str(reference)):
            raise ConfigError(
                f"it is not known which digest {identity} means, so no plan is saved",
                hint="`reconciler image build` and `resolve` tell it; a plan freezes digests",
            )
    return SavedPlan(
        format=FORMAT,
        id="",
        version=__version__,
        install=install,
        source=config.name,
        paths=config.paths,
        namespace=config.namespace,
        adopt=config.adopt,
        base_ref=base_ref,
        base=review.base.commit,
        head=review.head.commit,
        planned=pools is not None,
        pools={name: dict(labels) for name, labels in (pools or {}).items()},
        decisions=tuple(SavedDecision(*identity, record) for identity, record in sorted(wanted.filling.items())),
        images=tuple(SavedImage(*identity, str(reference)) for identity, reference in sorted(pinned.items())),
        changes=await touched(review.effects.whole, cluster),
    ).sealed()


async def touched(changes: Iterable[Change], cluster: Cluster) -> tuple[SavedChange, ...]:
    """What is done to which objects, with what we own in each now. Raises ApiError or TransportError."""
    done = sorted((c for c in changes if c.action not in QUIET), key=lambda change: change.identity)

    async def one(change: Change) -> SavedChange:
        version = change.manifest.gvk.version if change.manifest is not None else ""
        try:
            live = await cluster.get(change.identity, version)
        except NotFound:  # its kind is not served
            live = None
        owned = fingerprint(live, MANAGER) if live is not None else ABSENT
        return SavedChange(*change.identity, str(change.action), owned)

    return tuple(await asyncio.gather(*map(one, done)))


def check_revisions(plan: SavedPlan, *, head: str, base: str, install: str) -> None:
    """That the commits `head` (checked out) and `base` (what the plan calls its base now) are the planned ones, and
    that the plan is this version's and for this cluster. A base that the head was merged into is as planned.

    Raises ConfigError.
    """
    _same("version of reconciler", plan.version, __version__)
    _same("cluster, by its install", plan.install, install)
    _same("commit, which is checked out", plan.head, head)
    if base != plan.head:
        _same(f"base {plan.base_ref}", plan.base, base)


def check_changes(plan: SavedPlan, now: Sequence[SavedChange]) -> None:
    """That the same would be done to the same objects. Raises ConfigError, naming each that is otherwise."""
    planned, found = ({each.identity: each for each in changes} for changes in (plan.changes, now))
    lines = [
        f"{identity}: {_difference(planned.get(identity), found.get(identity))}"
        for identity in sorted({*planned, *found})
        if planned.get(identity) != found.get(identity)
    ]
    if lines:
        raise ConfigError("nothing is applied: the cluster is not as it was planned", why="; ".join(lines), hint=_HINT)


def _difference(planned: SavedChange | None, now: SavedChange | None) -> str:
    if planned is None:
        return f"{now.action if now is not None else 'nothing'} would come beside the plan"
    if now is None:
        return f"nothing is left to {planned.action}"
    if planned.owned == ABSENT:
        return "it was not there, and is now"
    if now.owned == ABSENT:
        return "it was there, and is gone"
    return "it was edited" if planned.owned != now.owned else f"{planned.action} was planned, now it is {now.action}"


def _same(what: str, planned: str, now: str) -> None:
    if planned != now:
        raise ConfigError(f"nothing is applied: another {what}", why=f"planned {planned}, now {now}", hint=_HINT)


class FrozenPlanning:
    """The Planning that decided what a saved plan says."""

    def __init__(self, plan: SavedPlan) -> None:
        self.pools: Pools = plan.pools
        self._filling: Filling = {each.identity: each.record for each in plan.decisions}

    async def advise(self, _source: str, asking: Asking) -> Filling | None:
        return {identity: record for identity, record in self._filling.items() if identity in asking.drafts}


class FrozenImages(AsStated):
    """The Images that mean what a saved plan says."""

    def __init__(self, plan: SavedPlan) -> None:
        self._pinned = {each.identity: each.reference for each in plan.images}

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        return Known(dict(self._pinned) or None)
