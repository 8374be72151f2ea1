"""One repository and branch of a forge: its pull requests are read, planned, and told what was found.

What must outlive a restart lies in the forge: our comment, its mark and the commit status. What is kept here only saves
work, and is bounded.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from reconciler.daemon.reviews import wording
from reconciler.daemon.reviews.consent import Consent, consent, demanded
from reconciler.daemon.reviews.difference import compare
from reconciler.daemon.reviews.promise import unpacked
from reconciler.daemon.reviews.reviewer import Reviewed, Reviewer
from reconciler.errors import ForgeMissing, ReconcilerError, SourceRefused, SourceTooLarge
from reconciler.forge.comment import Notes, Ours, find, put, room
from reconciler.forge.forge import CommitState, CommitStatus, Forge, Pull, PullState
from reconciler.forge.webhooks import StatusSet
from reconciler.source.merging import MergeConflict

K = TypeVar("K")
V = TypeVar("V")

_REMEMBERED: Final = 16_000  # characters of a comment that are not for people
_KEPT: Final = 200  # reviews, and merges whose result was told
_GRAVITY: Final = (CommitState.SUCCESS, CommitState.PENDING, CommitState.ERROR, CommitState.FAILURE).index
_LASTING: Final = (SourceRefused, SourceTooLarge, MergeConflict)  # stays so until a branch moves, or somebody asks
_OURS: Final = "reconciler itself failed on it"
_SOON: Final = "it is being planned"
_SEE_LOG: Final = "the log of `reconciler review` says where"

Count = Callable[[str, str], None]
"""Told of each look at a pull request: the forge's name, and what was found."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What was found of a pull request when its base and head were these, by source; of those in `failed`, why nothing
    was."""

    base: str
    head: str
    reviews: Mapping[str, Reviewed]
    failed: Mapping[str, ReconcilerError]

    @property
    def passing(self) -> ReconcilerError | None:
        """One that may be gone at the next look."""
        return next((error for error in self.failed.values() if not isinstance(error, _LASTING)), None)

    @property
    def state(self) -> CommitState:
        """What the failures alone would have the commit's status be."""
        if not self.failed:
            return CommitState.SUCCESS
        return CommitState.ERROR if self.passing is not None else CommitState.FAILURE


class Desk:
    """Pull requests into the branch `base` of `repository`, for the sources that watch it.

    `name` is the install's: it stands in the mark of comments and in the status' context.
    """

    def __init__(
        self, forge: Forge, repository: str, base: str, reviewers: Sequence[Reviewer], *, name: str, count: Count
    ) -> None:
        self.forge = forge
        self.repository = repository
        self.base = base
        self._reviewers = reviewers
        self._name = name
        self._context = f"reconciler/{name}/{base}"
        self._account = ""  # ours, once it was asked for
        self._count = count
        self._known: OrderedDict[int, Known] = OrderedDict()
        self._states: dict[int, tuple[str, CommitStatus]] = {}  # of all open ones: the head's
        self._said: OrderedDict[str, CommitStatus] = OrderedDict()  # what was last set, by commit
        self._told: OrderedDict[int, None] = OrderedDict()  # merges of which there is no more to say

    async def numbers(self) -> tuple[int, ...]:
        """The pull requests that deserve a look: open ones, and those whose merge may have no result yet."""
        pulls = {pull.number: pull async for pull in self.forge.pulls(self.repository, self.base)}
        numbers = tuple(pulls)
        for number in self._states.keys() - pulls.keys():
            del self._states[number]
        for number in pulls.keys() - self._states.keys():  # nobody else's success opens the way for it until then
            self._states[number] = (pulls[number].head_commit, self._status(pulls[number], CommitState.PENDING, _SOON))
        merged = await self.forge.merged(self.repository, self.base)
        return (*numbers, *(pull.number for pull in merged if pull.number not in self._told))

    async def look(self, number: int, *, asked_by: Collection[str] = ()) -> bool:
        """Bring what is said of a pull request up to date; whether it is to be looked at again soon.

        It is planned anew if one of `asked_by` may write to the repository. Raises ReconcilerError.
        """
        try:
            pull = await self.forge.pull(self.repository, number)
        except ForgeMissing:
            return False
        self._account = (await self.forge.account()).lower()
        if pull.base == self.base and pull.state is PullState.OPEN:
            await self._plan(pull, anew=await self._may_ask(asked_by))
            return False
        self._states.pop(number, None)
        return pull.base == self.base and pull.state is PullState.MERGED and await self._after(pull)

    def disowned(self, event: StatusSet) -> tuple[int, ...]:
        """The open pull requests of which somebody else has set our status: the next look sets it anew."""
        if event.context != self._context or event.login.lower() == self._account:
            return ()
        if (said := self._said.pop(event.commit, None)) is not None:
            who, commit = event.login or "somebody", event.commit[:12]
            logger.warning(
                "%s of %s in %s was set by %s: it becomes %s again",
                self._context,
                commit,
                self.repository,
                who,
                said.state,
            )
        return tuple(number for number, (head, _) in self._states.items() if head == event.commit)

    async def _may_ask(self, logins: Collection[str]) -> bool:
        for login in logins:
            if await self.forge.may_write(self.repository, login):
                return True
        return False

    async def _plan(self, pull: Pull, *, anew: bool) -> None:
        tip = await self.forge.tip(self.repository, self.base)
        known = self._known.get(pull.number)
        if known is None or (known.base, known.head) != (tip, pull.head_commit):
            await self._state(pull, CommitState.PENDING, _SOON)
            known = None
        ours = await find(self.forge, self.repository, pull.number, self._name)
        if anew or known is None:
            known = Known(tip, pull.head_commit, {}, {})
        known = await self._review(pull, known)
        _keep(self._known, pull.number, known)
        await self._tell(pull, known, ours)
        if known.passing is not None:
            raise known.passing

    async def _review(self, pull: Pull, known: Known) -> Known:
        """`known` with the sources that it lacks. One that cannot be planned hides no other."""
        reviews, failed = dict(known.reviews), dict(known.failed)
        for reviewer in self._reviewers:
            if reviewer.source in reviews or isinstance(failed.get(reviewer.source), _LASTING):
                continue
            failed.pop(reviewer.source, None)
            try:
                reviews[reviewer.source] = await reviewer.review(known.base, known.head, fork=pull.fork)
            except ReconcilerError as error:
                failed[reviewer.source] = error.with_traceback(None)
            except Exception:
                logger.exception("planning pull request %s of %s failed", pull.number, self.repository)
                failed[reviewer.source] = ReconcilerError(_OURS, where=f"source {reviewer.source}", hint=_SEE_LOG)
        return Known(known.base, known.head, reviews, failed)

    async def _tell(self, pull: Pull, known: Known, ours: Ours | None) -> None:
        reviews = known.reviews.values()
        found = await self._consent(reviews, pull)
        share = _REMEMBERED // max(1, len(reviews))
        plans = {source: reviewed.promise.packed(share) for source, reviewed in known.reviews.items()}
        notes = Notes(known.base, known.head, plans)
        text = wording.comment(known.reviews, known.failed, found, pull, room(self.forge, self._name, notes))
        await put(self.forge, self.repository, pull.number, self._name, ours, notes, text)
        state = max(found.state, known.state, key=_GRAVITY)
        await self._state(pull, state, wording.status(known.reviews, known.failed, found))
        self._count(self.forge.name, state.value)

    async def _consent(self, reviews: Collection[Reviewed], pull: Pull) -> Consent:
        if not demanded(reviews):
            return consent(reviews, pull, ())
        approvals = await self.forge.approvals(self.repository, pull.number)
        found = consent(reviews, pull, approvals)
        given = {login for demand in found.demands for login in demand.given}
        makers = await self.forge.makers(self.repository, pull, sorted(given)) if given else ()
        return consent(reviews, pull, approvals, makers)

    async def _after(self, pull: Pull) -> bool:
        """Tell what became of a merge that was reviewed."""
        self._known.pop(pull.number, None)
        ours = await find(self.forge, self.repository, pull.number, self._name)
        if ours is None or (ours.notes.merged == pull.merged_as and ours.notes.done):
            _keep(self._told, pull.number, None)
            return False
        results = [await self._result(reviewer, pull.merged_as, ours.notes) for reviewer in self._reviewers]
        unread = next((result.error for result in results if result.error is not None), None)
        done = all(result.synced is not None and result.synced.ok for result in results)
        notes = msgspec.structs.replace(ours.notes, merged=pull.merged_as, done=done)
        text = wording.after(ours.text, pull.merged_as, results, room(self.forge, self._name, notes))
        await put(self.forge, self.repository, pull.number, self._name, ours, notes, text)
        if done:
            _keep(self._told, pull.number, None)
        if unread is not None:
            raise unread
        return not done

    @staticmethod
    async def _result(reviewer: Reviewer, commit: str, notes: Notes) -> wording.Result:
        try:
            synced = await reviewer.synced(commit, notes.base, notes.head)
        except ReconcilerError as error:
            return wording.Result(reviewer.source, None, None, error.with_traceback(None))
        promise = unpacked(notes.plans.get(reviewer.source, ""))
        compared = compare(promise, synced) if synced is not None and promise is not None else None
        return wording.Result(reviewer.source, synced, compared)

    async def _state(self, pull: Pull, state: CommitState, description: str) -> None:
        """Set it where it is another than the last: GitHub takes a thousand of a commit.

        A commit may be the head of several pull requests: with another base it is another matter, with the same the
        gravest counts, or one of them would open the way for the others.
        """
        head = pull.head_commit
        self._states[pull.number] = (head, self._status(pull, state, description))
        gravest = max((s for commit, s in self._states.values() if commit == head), key=lambda s: _GRAVITY(s.state))
        if self._said.get(head) != gravest:
            await self.forge.state(self.repository, head, gravest)
            _keep(self._said, head, gravest)

    def _status(self, pull: Pull, state: CommitState, description: str) -> CommitStatus:
        return CommitStatus(state, self._context, description, pull.url)


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _KEPT:
        kept.popitem(last=False)
