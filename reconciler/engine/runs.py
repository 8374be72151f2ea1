"""The Jobs of Tasks: at most one for each hash, and never two of one Task side by side (rule 16).

A Job's name holds the hash, so making it twice makes one Job, as long as it is there. What happens once it is gone
depends on what is on record: a Job is recorded when it was made, and again when it was seen to have ended. One that is
gone and was not seen to end may have run or not: a person decides. It is recorded after it was made, not before: a
daemon that is killed between the two finds the Job itself, and one that is killed before either has made nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from reconciler.cluster.cache import LiveCache, Packed
from reconciler.cluster.state import StateStore
from reconciler.diff.prune import finish
from reconciler.kube.kinds import JOB
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.manifest import LABEL_SOURCE, LABEL_TASK, Manifest
from reconciler.model.state import SourceState


class Past(NamedTuple):
    """What is known of the Jobs of one source's Tasks.

    `ended` ran to their end; `unsure` were made, and whether they ran is not known where they are gone; `running` has
    the Job that runs by the namespace and the name of its Task.
    """

    ended: frozenset[Identity] = frozenset()
    unsure: frozenset[Identity] = frozenset()
    running: Mapping[tuple[str, str], Identity] = {}

    @classmethod
    def of(cls, state: SourceState, jobs: Mapping[Identity, "Job"]) -> "Past":
        """As it is on record, and as the cache has it."""
        running = {(identity.namespace, job.task): identity for identity, job in jobs.items() if job.running}
        return cls(state.ran, state.made - state.ran, running)

    def forbids(self, manifest: Manifest, source: str) -> Change | None:
        """Why the Job `manifest`, which is not there, is not to be made now; None where it is."""
        identity = manifest.identity
        if not manifest.once:
            return None
        if identity in self.ended:
            return Change(identity, Action.NONE, "ran already", manifest=manifest)
        task = str((manifest.object["metadata"].get("labels") or {}).get(LABEL_TASK, ""))
        if identity in self.unsure:
            reason = "it was made before and is gone, and whether it ran to its end is not known"
            hint = f"`reconciler task retry {source} {task}` runs it again; a change of the Task makes another Job"
            return Change(identity, Action.HOLD, reason, manifest=manifest, hint=hint)
        if not manifest.suspended and (other := self.running.get((identity.namespace, task))) is not None:
            reason = f"waits until {other} has ended: a Task is not run beside itself"
            hint = f"`kubectl delete job -n {other.namespace} {other.name}` ends it, if it never will"
            return Change(identity, Action.HOLD, reason, manifest=manifest, hint=hint)
        return None


class Job(NamedTuple):
    """One Job of a Task."""

    version: str  # its resourceVersion
    task: str
    ended: bool
    running: bool


class Jobs:
    """The Jobs that the cache has of one source's Tasks. What was looked into once is not looked into again."""

    def __init__(self, source: str, cache: LiveCache) -> None:
        self._source = source
        self._cache = cache
        self._known: dict[Identity, Job | None] = {}

    def there(self) -> Mapping[Identity, Job]:
        """Those that there are now."""
        before, self._known = self._known, {}
        for identity in self._cache.of_kind(JOB):
            known = before.get(identity)
            if known is None or known.version != self._cache.version(identity):
                known = self._look(identity)
            self._known[identity] = known
        return {identity: job for identity, job in self._known.items() if job is not None}

    def _look(self, identity: Identity) -> Job | None:
        live = self._cache.get(identity)
        if live is None or live.labels.get(LABEL_SOURCE) != self._source or LABEL_TASK not in live.labels:
            return None
        ended = bool(finish(live.object)[0])
        running = not ended and not (live.object.get("spec") or {}).get("suspend")
        return Job(live.resource_version, live.labels[LABEL_TASK], ended, running)


class Runs:
    """Keeps the record of one source's Jobs. `again` is called when what was seen asks for another pass."""

    def __init__(self, source: str, store: StateStore, cache: LiveCache, again: Callable[[], None]) -> None:
        self._source = source
        self._store = store
        self._jobs = Jobs(source, cache)
        self._again = again

    async def past(self, manifests: Iterable[Manifest]) -> Past:
        """What is to be known before anything is decided about `manifests`. Records what the cache shows.

        Raises ApiError, TransportError or ConfigError.
        """
        await self._store.load(self._source)
        jobs = self._jobs.there()
        self._record(made=jobs, ran=(identity for identity, job in jobs.items() if job.ended))
        if not any(manifest.once for manifest in manifests):
            return Past()
        return Past.of(self._store.get(self._source), jobs)

    def made(self, job: Identity) -> None:
        """A Job was made just now."""
        self._record(made={job})

    def seen(self, job: Identity, old: Packed | None, new: Packed | None, *, stated: bool) -> None:
        """A watch event about a Job. `again` where another may wait for its end, or where it went without one."""
        before, after = (state is not None and bool(finish(state.live(job).object)[0]) for state in (old, new))
        if (before or after) and (stated or job in self._store.get(self._source).made):
            self._record(ran={job})
        gone = new is None and not before
        if gone or (after and not before and not stated):
            self._again()

    def _record(self, made: Iterable[Identity] = (), ran: Iterable[Identity] = ()) -> None:
        known = self._store.get(self._source)
        ended = frozenset(ran) - known.ran
        there = (frozenset(made) | ended) - known.made
        if there or ended:
            self._store.update(
                self._source, lambda state: replace(state, made=state.made | there, ran=state.ran | ended)
            )
