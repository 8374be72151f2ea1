"""The review of a merge beside the live cluster, which is only read."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.daemon.reviews.difference import together
from reconciler.daemon.reviews.forked import review_fork
from reconciler.daemon.reviews.promise import Promise, promise
from reconciler.daemon.reviews.reviewer import Restated, Reviewed, Synced
from reconciler.engine.filling import Filler
from reconciler.engine.images import AsStated, Images
from reconciler.engine.surroundings import Desired
from reconciler.engine.trial import Trials
from reconciler.engine.wanting import Wanting
from reconciler.errors import Forbidden, SourceError
from reconciler.kube.names import Identity
from reconciler.model.config import SourceConfig
from reconciler.model.deed import announced
from reconciler.model.manifest import Owner
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
from reconciler.source.merging import MergeConflict
from reconciler.source.repository import GitSource


@dataclass(frozen=True, slots=True)
class LiveReview:
    """Implements Reviewed."""

    review: Review

    @property
    def verdict(self) -> Verdict:
        return self.review.verdict

    @property
    def rules(self) -> ReviewRules:
        return self.review.rules

    @property
    def summary(self) -> str:
        return headline(self.review)

    @property
    def promise(self) -> Promise:
        return promise(announced(self.review.effects.merged), announced(self.review.effects.anyway))

    @property
    def found(self) -> Mapping[str, Level]:
        return {str(risk.code): risk.level for risk in self.review.risks}

    def markdown(self, limit: int) -> str:
        return markdown.render(self.review, limit=limit)


class ReadStore(StateStore):
    """The stored state for who may only read: as the cluster had it when it was last loaded."""

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock) -> None:
        super().__init__(cluster, namespace, clock=clock)
        self._loaded: dict[str, SourceState] = {}

    async def load(self, source: str) -> SourceState:
        self._loaded[source] = await self.peek(source)
        return self._loaded[source]

    def get(self, source: str) -> SourceState:
        return self._loaded[source]


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
        trials: Trials | None = None,
    ) -> None:
        """Without `trials` nothing is planned anew: what the planner decided stays."""
        self._config = config
        self._git = git
        self._cluster = cluster
        self._store = store
        self._trials = trials
        self._turn = asyncio.Lock()  # what was read and compared so far is shared by all reviews, one at a time
        owner = Owner(install, config.name)
        self._wanting = Wanting(
            config,
            owner,
            git,
            scopes=cluster.discovery.scopes,
            fill=Filler(config, cluster, trials, store).fill,
            pools=trials.pools if trials is not None else None,
            images=Unbuilt(open_images(config, git, cluster, store), git),
            planner=trials.config if trials is not None else None,
        )
        self._merges = Merges(config, owner, self._wanting, trials.made if trials is not None else lambda: None)

    @property
    def source(self) -> str:
        return self._config.name

    async def review(self, base: str, head: str, *, fork: bool) -> Reviewed:
        """Raises ReconcilerError."""
        async with self._turn:
            before = await self._git.snapshot(base)
            if not fork:
                return LiveReview(await self._planned(before, head))
            rules = (await self._wanting.read(before)).review or ReviewRules()
        return await review_fork(self._git, self._config, base, head, rules)

    async def _planned(self, before: Snapshot, head: str) -> Review:
        """Without what is only needed while it is made: reviews are kept."""
        unplanned = ""
        async with AsyncExitStack() as stack:
            if self._trials is not None:
                try:
                    await stack.enter_async_context(self._trials.one())
                except Forbidden as error:
                    unplanned = str(error)
            found = await self._review(before, head)
        return replace(found, wanted=None, effects=replace(found.effects, whole=()), unplanned=unplanned)

    async def _review(self, before: Snapshot, head: str) -> Review:
        after = await self._git.snapshot(head)
        merged = await self._git.merge(before.revision.commit, after.revision.commit)
        state = await self._store.load(self.source)
        messages = await new_messages(self._git, state, before.revision.commit, after.revision.commit)
        beside = Beside(self._cluster, state, await nodes_of(self._cluster), messages)
        return await self._merges.review(before, merged, after.revision, beside)

    async def synced(self, commit: str, base: str, head: str) -> Synced | None:
        """From the history that the daemon keeps in the cluster."""
        passes = (await self._store.load(self.source)).history
        first = await self._first_with(commit, passes)
        if first is None or not (over := _to_the_end(passes[first:])):
            return None
        last = over[-1]
        before = next((each.revision.commit for each in reversed(passes[:first]) if each.ok), "")
        now = last.revision.commit
        return Synced(
            now,
            last.ok,
            reduce(add, (Counter(each.done) for each in over)),
            last.failed,
            last.messages,
            deeds=together(each.objects for each in over),
            unlisted=sum(each.unlisted for each in over),
            restated=await self._restated(before or base, now, base, head),
        )

    async def _first_with(self, commit: str, passes: Sequence[Pass]) -> int | None:
        """The place of the oldest pass over a commit that has `commit`."""
        exact = next((at for at, each in enumerate(passes) if each.revision.commit == commit), None)
        if exact is not None:
            return exact
        known: dict[str, bool] = {}
        for at, each in enumerate(passes):
            if (later := each.revision.commit) not in known:
                known[later] = await self._git.includes(commit, later)
            if known[later]:
                return at
        return None

    async def _restated(self, before: str, now: str, base: str, head: str) -> Restated | None:
        """What differs between the commits `before` and `now`, and what of that the merge that was reviewed does not
        account for; None where one of them cannot be read any more."""
        try:
            async with self._turn:
                snapshots = [await self._git.snapshot(each) for each in (before, now, base, head)]
                snapshots[3] = await self._git.merge(base, snapshots[3].revision.commit)
                old, new, reviewed, merged = [_digests(await self._wanting.of(each)) for each in snapshots]
        except (SourceError, MergeConflict):
            return None
        stated = frozenset({*old, *new, *reviewed, *merged})
        return Restated(
            frozenset(i for i in stated if old.get(i) != new.get(i)),
            frozenset(i for i in stated if (old.get(i), new.get(i)) != (reviewed.get(i), merged.get(i))),
            frozenset(i for i in stated if new.get(i) != merged.get(i)),
        )

    async def close(self) -> None:
        await self._git.close()


def _digests(desired: Desired) -> Mapping[Identity, str]:
    return {identity: manifest.digest for identity, manifest in desired.manifests.items.items()}


def _to_the_end(passes: Sequence[Pass]) -> Sequence[Pass]:
    """Up to the first that succeeded; none where the newest was given up for a newer commit."""
    for at, each in enumerate(passes):
        if each.ok:
            return passes[: at + 1]
    return passes if passes and not passes[-1].superseded else ()
