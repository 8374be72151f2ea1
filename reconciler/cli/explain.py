"""`reconciler explain KIND/NAME`: whose an object is, who set its fields, which line of Git wanted it, and its plan."""

import argparse
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconciler.cli.arguments import Verbs, cluster_flags, name, paths_flag
from reconciler.cli.exits import OK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.cli.session import Session
    from reconciler.model.change import Live


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("explain", help="where an object came from and why it is so", description=__doc__)
    parser.add_argument(
        "object", metavar="KIND/NAME", help="deployment/web, deploy/web, Deployment/shop/web, task/migrate"
    )
    parser.add_argument("-n", "--namespace", metavar="NAME", type=name, help="default: default")
    parser.add_argument(
        "--repo", metavar="URL", help="the source's repository (a folder will do): adds commit and author"
    )
    parser.add_argument("--ref", metavar="REF", default="main", help="of --repo (default: %(default)s)")
    paths_flag(parser)
    cluster_flags(parser)
    parser.set_defaults(verb=explain)


def explain(args: argparse.Namespace) -> int:
    import asyncio

    return asyncio.run(_explain(args))


async def _explain(args: argparse.Namespace) -> int:
    from reconciler.cli.named import meant
    from reconciler.cli.session import session
    from reconciler.cli.show import out

    stated, args.namespace = args.namespace or "", args.namespace or "default"
    async with session(args) as it:
        for number, live in enumerate(await meant(it, args.object, stated)):
            out("\n".join([*([""] if number else []), *[line async for line in _told(it, args, live)]]))
    return OK


async def _told(it: "Session", args: argparse.Namespace, live: "Live") -> "AsyncIterator[str]":
    """All that is known of one object, in lines."""
    from reconciler.cli.planned import about
    from reconciler.cli.show import when
    from reconciler.cluster.health.assess import assess
    from reconciler.model.manifest import ANNOTATION_SPEC
    from reconciler.model.ownership import mark, origin_path

    health = assess(live.object, it.clock.now())
    yield f"{live.identity} is {health.status}{f': {health.message}' if health.message else ''}"
    for owner in live.metadata.get("ownerReferences") or ():
        yield f"  made by a controller for {owner.get('kind')}/{owner.get('name')}"
    claimed = mark(live)
    if claimed is None:
        yield "  not managed by reconciler: nothing in Git states it"
    else:
        made_by = live.annotations.get(ANNOTATION_SPEC) or str(live.identity)
        yield f"  owned by source {claimed.owner.source} of install {claimed.owner.install}"
        yield f"  stated by {made_by} in {origin_path(live)}"
        state = await it.state(claimed.owner.source)
        if done := state.applied:
            yield f"  the source is at {done.commit[:12] or 'a folder'}, applied {when(done.time)}"
        if args.repo:
            commit = state.applied.commit if state.applied else None
            yield f"  {await _blame(args, claimed.owner.source, made_by, commit)}"
            for line in await _drift(it, args, claimed.owner.source, live):
                yield f"  {line}"
    for line in (*_managers(live.metadata), *await about(it, live, claimed is not None)):
        yield f"  {line}"


async def _drift(it: "Session", args: argparse.Namespace, source: str, live: "Live") -> list[str]:
    """What others changed of it since Git was applied."""
    from reconciler.cli.applied import as_applied
    from reconciler.cli.drift import attributed, surveyed
    from reconciler.drift.views import text
    from reconciler.errors import ConfigError, NotFound, SourceError

    try:
        async with as_applied(it, argparse.Namespace(**vars(args), config=None), source, args.repo) as applied:
            survey = surveyed(it, applied)
            await survey.follow([live.identity])
            seen = await survey.look([live.identity])
            if not seen.drifts:
                return []
            first, *fields = text(await attributed(applied, seen.drifts[0]))
            return [f"drifted since then: {first.removeprefix(str(live.identity)).strip()}", *fields]
    except (ConfigError, NotFound, SourceError):  # it was said already
        return []


async def _blame(args: argparse.Namespace, source: str, document: str, commit: str | None) -> str:
    """Which line of which file states `document`, and who wrote it when."""
    from pathlib import Path
    from random import Random
    from tempfile import TemporaryDirectory

    from reconciler.clock import SystemClock
    from reconciler.errors import SourceError
    from reconciler.model.config import SourceConfig
    from reconciler.source.repository import GitSource
    from reconciler.specs.load import Loader

    url = str(Path(args.repo).resolve()) if Path(args.repo).is_dir() else args.repo  # noqa: ASYNC240 - once, at the start
    config = SourceConfig(name=source, url=url, ref=args.ref, paths=args.paths)
    with TemporaryDirectory() as cache:
        repository = GitSource(config, Path(cache), clock=SystemClock(), random=Random(0))  # noqa: S311 - jitter
        try:
            poll = await repository.poll()
            if poll.snapshot is None:
                return f"{args.repo} cannot be read: {poll.error}"
            snapshot = await repository.snapshot(commit) if commit else poll.snapshot
            specs = await Loader().load(snapshot, repository, namespace=args.namespace)
            found = next((d for i, d in specs.documents.items() if document in (str(i), str(i.group_kind))), None)
            if found is None:
                where = f"{args.repo} at {snapshot.revision.short}"
                return f"{document} is not stated in {where}; are --ref and --paths those of the source?"
            wrote = await repository.trace(found.origin.path, found.origin.line, snapshot.revision.commit)
            last = (await repository.log(found.origin.path, 1))[:1]
            text = f"{found.origin}: written by {wrote.author} in {wrote.short} ({wrote.subject})"
            return text + "".join(f"; file last changed by {r.author} in {r.short} ({r.subject})" for r in last)
        except SourceError as error:
            return f"{args.repo} cannot be read: {error}"
        finally:
            await repository.close()


def _managers(metadata: Mapping[str, Any]) -> list[str]:
    """Who owns how many fields, from managedFields."""
    from reconciler.kube.fieldset import FieldSet
    from reconciler.plural import counted

    lines: Counter[str] = Counter()
    for entry in metadata.get("managedFields") or ():
        name = str(entry.get("manager"))
        part = f" ({entry['subresource']})" if entry.get("subresource") else ""
        lines[f"{name}{part}"] += len(list(FieldSet.from_v1(entry.get("fieldsV1") or {}).leaves()))
    return [f"{counted(count, 'field')} set by {name}" for name, count in sorted(lines.items())]
