"""What the page and the metrics read: the daemon's own knowledge. No request goes out from here."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from reconciler import __version__
from reconciler.clock import Clock
from reconciler.cluster.cache import LiveCache
from reconciler.cluster.state import StateStore
from reconciler.daemon.healths import Healths
from reconciler.daemon.page.journal import Journal
from reconciler.daemon.page.status import (
    Condition,
    Detail,
    Manager,
    Overall,
    PlannerStatus,
    Row,
    SourceStatus,
    Standing,
)
from reconciler.drift.drifts import Drifts
from reconciler.engine.reconciler import Reconciler
from reconciler.engine.surroundings import Desired
from reconciler.kube.fieldset import FieldSet
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.drift import Author
from reconciler.model.event import Topic
from reconciler.model.health import Health, Status
from reconciler.model.snapshot import Skipped, SkipReason, Snapshot
from reconciler.model.state import SourceState
from reconciler.redact import redacted

_SHOWN_EVENTS: Final = 100
_OLD: Final = 1.0  # seconds after which a status is put together anew, whatever seems to have changed
_MISSING: Final = Health(Status.MISSING, "it is not in the cluster")
_UNSEEN: Final = Health(Status.PROGRESSING, "it was changed a moment ago")
_CONCERN: Final = {status: -number for number, status in enumerate(Status)}
_WRONG: Final = (Topic.OBJECT, Topic.IMAGE, Topic.START, Topic.PLACE)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The parts of a running daemon that know something."""

    install: str
    reconcilers: Mapping[str, Reconciler]
    store: StateStore
    cache: LiveCache
    healths: Healths
    drifts: Drifts
    planner: Callable[[], PlannerStatus] | None = None


class _Same:
    """Equal to itself only. It is kept, so that nothing else can take its place in memory."""

    __slots__ = ("_it",)

    def __init__(self, it: object) -> None:
        self._it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._it is self._it

    def __hash__(self) -> int:
        return id(self._it)


class View(Protocol):
    """What pages are made of."""

    @property
    def journal(self) -> Journal: ...

    def stamp(self) -> Hashable:
        """Something that changes whenever there is something else to show."""
        ...

    def overall(self) -> Overall: ...

    def detail(self, group: str | None, kind: str, namespace: str, name: str) -> Detail | None:
        """One object, of any group where `group` is None; None where there is no such object here."""
        ...


class DaemonView:
    """How things stand with a daemon. `knowledge` comes once the daemon has found the cluster."""

    def __init__(
        self, config: DaemonConfig, journal: Journal, waiting_for: Callable[[], list[str]], clock: Clock
    ) -> None:
        self._journal = journal
        self.knowledge: Knowledge | None = None
        self._config = config
        self._waiting_for = waiting_for
        self._clock = clock
        self._cached: tuple[Hashable, float, Overall] | None = None

    @property
    def journal(self) -> Journal:
        return self._journal

    def stamp(self) -> Hashable:
        if (known := self.knowledge) is None:
            return self.journal.last
        sources = tuple(
            (_Same(_state(known.store, name)), r.snapshot.revision.commit if r.snapshot else "", r.passing)
            for name, r in known.reconcilers.items()
        )
        planner = known.planner() if known.planner is not None else PlannerStatus()
        planned = (_Same(planner.newest), planner.holder, planner.ours)
        return self.journal.last, known.healths.version, known.drifts.version, sources, planned

    def overall(self) -> Overall:
        """Everything, put together at most once for each change."""
        stamp, now = self.stamp(), self._clock.monotonic()
        if self._cached is not None:
            seen, when, overall = self._cached
            if seen == stamp and now - when < _OLD:
                return replace(overall, now=self._clock.now())
        overall = self._overall()
        self._cached = (stamp, now, overall)
        return overall

    def _overall(self) -> Overall:
        now, waiting = self._clock.now(), tuple(self._waiting_for())
        if (known := self.knowledge) is None:
            sources = tuple(_start(source) for source in self._config.sources)
            return Overall(
                now,
                __version__,
                waiting=waiting,
                sources=sources,
                wrong=self.journal.open(_WRONG),
                events=self.journal.recent(_SHOWN_EVENTS),
            )
        rows: list[Row] = []
        found: list[SourceStatus] = []
        for source in self._config.sources:
            own = list(_rows(source.name, known.reconcilers[source.name].desired, known))
            rows += own
            found.append(self._source(source, own, known))
        rows.sort(key=_concern)
        drifts = sorted(known.drifts.open(), key=lambda drift: drift.noticed, reverse=True)
        return Overall(
            now,
            __version__,
            known.install,
            waiting,
            tuple(found),
            tuple(rows),
            tuple(drifts),
            known.drifts.ended(),
            self.journal.open(_WRONG),
            self.journal.recent(_SHOWN_EVENTS),
            known.planner() if known.planner is not None else None,
        )

    def _source(self, config: SourceConfig, rows: Iterable[Row], known: Knowledge) -> SourceStatus:
        reconciler = known.reconcilers[config.name]
        state = _state(known.store, config.name) or SourceState(config.name)
        snapshot, desired = reconciler.snapshot, reconciler.desired
        said = {event.source: event.message for event in self.journal.open((Topic.SYNC,))}
        unreachable = {event.source: event.message for event in self.journal.open((Topic.REPOSITORY,))}
        trouble = said.get(config.name, "")
        return replace(
            _start(config),
            standing=_standing(reconciler, state, failing=bool(trouble)),
            revision=snapshot.revision if snapshot else None,
            applied=state.applied,
            unreachable=unreachable.get(config.name, ""),
            trouble=trouble,
            counts=Counter(row.health.status for row in rows),
            held=state.held,
            held_more=state.held_more,
            problems=desired.problems if desired else (),
            passes=tuple(reversed(state.history)),
            missing=snapshot.missing if snapshot else (),
            skipped=tuple(_left_out(snapshot)),
            images=(desired.images.pinned or {}) if desired else {},
        )

    def detail(self, group: str | None, kind: str, namespace: str, name: str) -> Detail | None:
        overall = self.overall()
        row = next(
            (
                row
                for row in overall.rows
                if (row.identity.kind, row.identity.namespace, row.identity.name) == (kind, namespace, name)
                and group in (None, row.identity.group)
            ),
            None,
        )
        if row is None or (known := self.knowledge) is None:
            return None
        return self._detail(row, overall, known)

    def _detail(self, row: Row, overall: Overall, known: Knowledge) -> Detail:
        identity = row.identity
        desired = known.reconcilers[row.source].desired
        manifest = desired.manifests.items.get(identity) if desired else None
        live = known.cache.get(identity)
        state = _state(known.store, row.source)
        metadata = live.metadata if live else {}
        return Detail(
            row,
            overall.drift_of(row.source, identity),
            tuple(d for d in overall.ended if (d.source, d.identity) == (row.source, identity)),
            next((each for each in (state.held if state else ()) if each.identity == identity), None),
            tuple(event for event in overall.wrong if event.identity == identity and event.source == row.source),
            self.journal.about(row.source, identity),
            str(manifest.spec) if manifest else "",
            (*manifest.depends_on, *manifest.after) if manifest else (),
            redacted(manifest.object) if manifest else None,
            str(metadata.get("creationTimestamp") or ""),
            str(metadata.get("uid") or ""),
            tuple(_managers(metadata)),
            tuple(_conditions(live.object if live else {})),
        )


def _start(config: SourceConfig) -> SourceStatus:
    """What the configuration says of a source. No address in it shows who logs in."""
    url = re.sub(r"//[^/@]*@", "//", config.url)
    return SourceStatus(config.name, url, config.ref, config.paths, Standing.STARTING)


def _left_out(snapshot: Snapshot | None) -> Iterable[Skipped]:
    return (each for each in (snapshot.skipped if snapshot else ()) if each.reason is not SkipReason.IGNORED)


def _state(store: StateStore, source: str) -> SourceState | None:
    try:
        return store.get(source)
    except KeyError:  # not read yet
        return None


def _standing(reconciler: Reconciler, state: SourceState, *, failing: bool) -> Standing:
    if state.suspended or reconciler.config.suspend:
        return Standing.SUSPENDED
    if reconciler.passing:
        return Standing.SYNCING
    if failing:
        return Standing.FAILING
    if not reconciler.synced:
        return Standing.STARTING
    return Standing.BEHIND if reconciler.due else Standing.SYNCED


def _rows(source: str, desired: Desired | None, known: Knowledge) -> Iterable[Row]:
    """What Git states, and what we own beyond that."""
    healths = known.healths.of(source)
    stated = desired.manifests.items if desired else {}
    for identity, manifest in stated.items():
        health = healths.get(identity)
        if health is None:
            health = _UNSEEN if identity in known.cache else _MISSING
        yield Row(source, identity, health, manifest.origin)
    for identity, health in healths.items():
        if identity not in stated:
            yield Row(source, identity, health, None)


def _concern(row: Row) -> tuple[int, str, str, str]:
    identity = row.identity
    return _CONCERN[row.health.status], identity.namespace, identity.kind, identity.name


def _managers(metadata: Mapping[str, Any]) -> Iterable[Manager]:
    for entry in metadata.get("managedFields") or ():
        author = Author(
            str(entry.get("manager") or ""),
            str(entry.get("operation") or ""),
            _time(entry.get("time")),
            str(entry.get("subresource") or ""),
        )
        yield Manager(author, len(list(FieldSet.from_v1(entry.get("fieldsV1") or {}).leaves())))


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _conditions(obj: Mapping[str, Any]) -> Iterable[Condition]:
    status = obj.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for each in conditions if isinstance(conditions, list) else ():
        if isinstance(each, Mapping):
            words = ": ".join(str(each[part]) for part in ("reason", "message") if each.get(part))
            yield Condition(str(each.get("type") or ""), str(each.get("status") or ""), words)
