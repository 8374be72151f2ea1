"""`reconciler plan` and `reconciler diff`: what applying a folder of specs would do. Nothing is written."""

import argparse
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli import merge
from reconciler.cli.arguments import (
    Verbs,
    cluster_flags,
    images_flag,
    output_flag,
    png_flag,
    repository_flags,
    source_flags,
)
from reconciler.cli.exits import CHANGES, ERROR, OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.folder import Folder
    from reconciler.cli.planning import Preview
    from reconciler.model.change import Change
    from reconciler.model.manifest import Manifests
    from reconciler.model.problem import Problem


class _Found(NamedTuple):
    changes: "Sequence[Change]"
    problems: "Sequence[Problem]"
    plan: "Preview"


def add(verbs: Verbs) -> None:
    for name, short in (("plan", "what applying a folder would do"), ("diff", "how live objects differ from a folder")):
        parser = verbs.add_parser(name, help=short, description=__doc__)
        repository_flags(parser)
        source_flags(parser)
        images_flag(parser, plans=True)
        parser.add_argument("--offline", action="store_true", help="ask no cluster, compare with an empty one")
        parser.add_argument(
            "--snapshot", metavar="FILE", help="plan what is left open for a cluster in a file; as --offline"
        )
        png_flag(parser)
        if name == "plan":
            merge.flags(parser)
        output_flag(parser, "text", "markdown", "json", *(("sarif",) if name == "plan" else ()))
        cluster_flags(parser)
        parser.set_defaults(verb=plan if name == "plan" else diff)


def plan(args: argparse.Namespace) -> int:
    """Exit code 0: nothing to do, 2: there are changes, 1: something is wrong."""
    return merge.show(args) if merge.asked(args) else _show(args, prunes=True)


def diff(args: argparse.Namespace) -> int:
    """As `plan`, for the objects of the folder alone: nothing is said of objects that it does not state."""
    return _show(args, prunes=False)


def _show(args: argparse.Namespace, *, prunes: bool) -> int:
    import asyncio

    from reconciler.cli import show
    from reconciler.cli.folder import overlay_hint
    from reconciler.cli.snapshots import drawn
    from reconciler.errors import ConfigError
    from reconciler.model.change import QUIET, Action
    from reconciler.model.problem import Severity

    changes, problems, plan = asyncio.run(_found(args))
    if args.png:
        if plan.drawing is None:
            raise ConfigError("--png has nothing to draw", hint="--config or --snapshot has the nodes planned")
        drawn(args.png, plan.drawing)
    quiet = (Action.NONE,) if prunes else (Action.NONE, Action.PRUNE, Action.KEEP, Action.HOLD)
    shown = [change for change in changes if change.action not in quiet or change.manifest is not None]
    show.changes(shown, problems, output=args.output, planned=plan.planned)
    show.hint(overlay_hint(args, problems))
    if any(problem.severity is Severity.ERROR for problem in problems):
        return ERROR
    return CHANGES if any(change.action not in QUIET for change in shown) else OK


async def _found(args: argparse.Namespace) -> _Found:
    return await (_offline(args) if args.offline or args.snapshot else _live(args))


async def _offline(args: argparse.Namespace) -> _Found:
    from reconciler.cli.folder import load_folder, planner_of, rendered, source_name
    from reconciler.cli.planning import imagined
    from reconciler.engine.preview import offline

    planner = planner_of(args.config)
    folder = await load_folder(args, planner=planner)
    source = source_name(args)
    plan = await imagined(planner, args.snapshot, folder, source)
    manifests = rendered(folder, plan.filling, source=source, install="offline", adopt=args.adopt, pools=plan.pools)
    return _Found(offline(manifests), _problems(folder, manifests), plan)


async def _live(args: argparse.Namespace) -> _Found:
    from functools import partial

    from reconciler.cli.folder import folder_config, load_folder, planner_of, rendered, source_name
    from reconciler.cli.planning import live
    from reconciler.cli.session import session
    from reconciler.engine.preview import preview
    from reconciler.engine.running import running_images

    async with session(args) as it:
        config, planner = folder_config(args), planner_of(args.config)
        running = partial(running_images, it.cluster, it.store, config)
        folder = await load_folder(args, await it.scopes(), running, planner)
        install = await it.install(make=False)
        source = source_name(args)
        state = await it.state(source)
        plan = await live(config, planner, it, folder, state)
        manifests = rendered(folder, plan.filling, source=source, install=install, adopt=args.adopt, pools=plan.pools)
        changes = await preview(
            folder.snapshot,
            folder.specs,
            manifests,
            cluster=it.cluster,
            config=config,
            owner=it.owner(source, install),
            state=state,
        )
        return _Found(changes, _problems(folder, manifests), plan)


def _problems(folder: "Folder", manifests: "Manifests") -> "Sequence[Problem]":
    return (*folder.specs.problems, *manifests.problems, *folder.images.problems)
