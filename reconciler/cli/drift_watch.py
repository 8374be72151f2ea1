"""`reconciler drift --watch`: what drifts, and what ends, as it comes. A newer revision is taken over when applied."""

import argparse
import asyncio
import json
import sys
from typing import Final

from reconciler.cli.applied import Applied, as_applied
from reconciler.cli.drift import attributed, check, surveyed
from reconciler.cli.session import Session
from reconciler.cli.show import hint, out, when
from reconciler.cluster.cache import Packed
from reconciler.drift.survey import Survey
from reconciler.drift.views import document, text
from reconciler.kube.names import Identity
from reconciler.model.drift import Drift, DriftedField, DriftKind
from reconciler.plural import counted

_SETTLE: Final = 0.1  # seconds: events come in bursts

Shape = tuple[DriftKind, tuple[tuple[str, object, object], ...]]


class _Watch:
    """What is known so far, and what is to be looked at again."""

    def __init__(self, it: Session, args: argparse.Namespace) -> None:
        self._it = it
        self._args = args
        self._known: dict[Identity, Shape] = {}
        self._suspects: set[Identity] = set()
        self.news = asyncio.Event()

    def seen(self, identity: Identity, _old: Packed | None, _new: Packed | None) -> None:
        self._suspects.add(identity)
        self.news.set()

    async def follow(self, applied: Applied, survey: Survey, *, first: bool) -> None:
        """Until something is applied: say what comes and goes."""
        revision, source = applied.revision, applied.config.name
        if self._args.output == "text":
            hint(applied.note)
            again = "" if first else "now "
            out(f"watching {counted(len(survey.items), 'object')} of source {source}, {again}at {revision}")
        state = self._it.store.get(source).applied
        await self._look(applied, survey, None)
        while self._it.store.get(source).applied == state:
            sys.stdout.flush()
            await self.news.wait()
            await asyncio.sleep(_SETTLE)
            self.news.clear()
            suspects, self._suspects = self._suspects, set()
            await self._look(applied, survey, suspects)

    async def _look(self, applied: Applied, survey: Survey, suspects: set[Identity] | None) -> None:
        seen = await survey.look(suspects)
        found = {drift.identity: drift for drift in seen.drifts}
        looked_at = self._known.keys() if suspects is None else suspects
        for identity in sorted(looked_at & self._known.keys() - found.keys() - seen.unread.keys()):
            del self._known[identity]
            self._ended(identity, applied)
        for identity, drift in found.items():
            if self._known.get(identity) != (shape := _shape(drift.kind, drift.fields)):
                self._known[identity] = shape
                await self._begun(drift, applied)

    async def _begun(self, drift: Drift, applied: Applied) -> None:
        found = await attributed(applied, drift)
        if self._args.output == "json":
            self._line({"event": "drifted", "time": drift.noticed.isoformat(), **document(found)})
        else:
            out("\n".join((when(drift.noticed), *text(found))))

    def _ended(self, identity: Identity, applied: Applied) -> None:
        now = self._it.clock.now()
        if self._args.output == "json":
            self._line({"event": "restored", "time": now.isoformat(), **identity._asdict()})
        else:
            out(f"{when(now)}\n{identity}  is as {applied.revision} states it again")

    def _line(self, values: dict[str, object]) -> None:
        out(json.dumps(values, ensure_ascii=False))


async def watch(it: Session, args: argparse.Namespace, source: str, path: str) -> int:
    """Never returns: an interrupt ends it. Raises ReconcilerError."""
    watching = _Watch(it, args)
    following = asyncio.create_task(it.store.follow(lambda _source: watching.news.set()))
    forget = it.cluster.cache.subscribe(watching.seen)
    try:
        first = True
        while True:
            async with as_applied(it, args, source, path) as applied:
                survey = surveyed(it, applied)
                await survey.follow()
                check(it, applied, survey)
                await watching.follow(applied, survey, first=first)
                first = False
    finally:
        forget()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _shape(kind: DriftKind, fields: tuple[DriftedField, ...]) -> Shape:
    """What must differ for a drift to be said again."""
    return kind, tuple((field.path, repr(field.wanted), repr(field.found)) for field in fields)
