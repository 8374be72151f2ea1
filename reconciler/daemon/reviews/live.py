"""The review of a merge beside the live cluster, which is only read."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.daemon.reviews.confined import Limits
from reconciler.daemon.reviews.forked import review_fork
from reconciler.daemon.reviews.reviewer import Reviewed, Synced
from reconciler.engine.filling import Filler
from reconciler.engine.images import AsStated, Images
from reconciler.engine.wanting import Wanting
from reconciler.model.change import Action
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Owner
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules
from reconciler.model.snapshot import Snapshot
from reconciler.model.state import Pass, SourceState
from reconciler.review.beside import new_messages, nodes_of
from reconciler.review.building import Unbuilt
from reconciler.review.review import Review
from reconciler.review.reviewer import Beside
from reconciler.review.reviewer import Reviewer as Merges
from reconciler.review.views import markdown
from reconciler.review.views.summary import headline
from reconciler.source.repository import GitSource

_NOT_DONE = frozenset({Action.NONE, Action.KEEP, Action.HOLD, Action.REFUSE})


@dataclass(frozen=True, slots=True)
class LiveReview:
    """Implements Reviewed."""

    review: Review
    rules: ReviewRules

    @property
    def verdict(self) -> Verdict:
        return self.review.verdict

    @property
    def summary(self) -> str:
        return headline(self.review)

    @property
    def counts(self) -> Mapping[str, int]:
        """What is unconfirmed is made when its kind or namespace is there."""
        made = (Action.CREATE if c.action is Action.UNCONFIRMED else c.action for c in self.review.effects.merged)
        return Counter(str(action) for action in made if action not in _NOT_DONE)

    @property
    def found(self) -> Mapping[str, Level]:
        return {str(risk.code): risk.level for risk in self.review.risks}

    def markdown(self, limit: int) -> str:
        return markdown.render(self.review, limit=limit)


class ReadStore(StateStore):
    """The stored state for who may only read."""

    async def load(self, source: str) -> SourceState:
        return await self.peek(source)


OpenImages = Callable[[SourceConfig, GitSource, Cluster, StateStore], Images]
"""Gives what a source's Images mean. It builds nothing."""


def as_stated(_config: SourceConfig, _git: GitSource, _cluster: Cluster, _store: StateStore) -> Images:
    return AsStated()


class SourceReviewer:
    """Implements Reviewer for one source of the configuration."""

    def __init__(
        self,
        config: SourceConfig,
        git: GitSource,
        cluster: Cluster,
        store: ReadStore,
        install: str,
        open_images: OpenImages = as_stated,
        limits: Limits | None = None,
        planner: PlannerConfig | None = None,
    ) -> None:
        self._config = config
        self._git = git
        self._cluster = cluster
        self._store = store
        self._limits = limits
        self._turn = asyncio.Lock()  # what was read and compared so far is shared by all reviews, one at a time
        owner = Owner(install, config.name)
        fill = Filler(config, cluster).fill
        images = Unbuilt(open_images(config, git, cluster, store), git)
        scopes = cluster.discovery.scopes
        self._wanting = Wanting(config, owner, git, scopes=scopes, fill=fill, images=images, planner=planner)
        self._merges = Merges(config, owner, self._wanting)

    @property
    def source(self) -> str:
        return self._config.name

    async def review(self, base: str, head: str, *, fork: bool) -> Reviewed:
        """Raises ReconcilerError."""
        async with self._turn:
            before = await self._git.snapshot(base)
            rules = (await self._wanting.of(before)).specs.review or ReviewRules()
            if not fork:
                return LiveReview(await self._review(before, head), rules)
        return await review_fork(self._git, self._config, base, head, rules, self._limits)

    async def _review(self, before: Snapshot, head: str) -> Review:
        after = await self._git.snapshot(head)
        merged = await self._git.merge(before.revision.commit, after.revision.commit)
        state = await self._store.load(self.source)
        messages = await new_messages(self._git, state, before.revision.commit, after.revision.commit)
        beside = Beside(self._cluster, state, await nodes_of(self._cluster), messages)
        return await self._merges.review(before, merged, after.revision, beside)

    async def synced(self, commit: str) -> Synced | None:
        """From the history that the daemon keeps in the cluster: the newest pass over the commit, else the first over
        one that has it."""
        passes = (await self._store.load(self.source)).history
        found = next((each for each in reversed(passes) if each.revision.commit == commit), None)
        if found is not None and found.ok:
            return _told(found, alone=True)
        for each in passes:
            later = each.revision.commit
            if each.ok and later != commit and await self._git.includes(commit, later):
                return _told(each, alone=False)
        return None if found is None or found.superseded else _told(found, alone=True)

    async def close(self) -> None:
        await self._git.close()


def _told(found: Pass, *, alone: bool) -> Synced:
    return Synced(found.revision.commit, found.ok, found.done, found.failed, found.messages, alone)
