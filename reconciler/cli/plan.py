"""`reconciler plan` and `reconciler diff`: what applying a folder of specs would do. Nothing is written."""

import argparse
from typing import TYPE_CHECKING

from reconciler.cli.arguments import Verbs, cluster_flags, images_flag, output_flag, repository_flags, source_flags
from reconciler.cli.exits import CHANGES, ERROR, OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.change import Change
    from reconciler.model.problem import Problem


def add(verbs: Verbs) -> None:
    for name, short in (("plan", "what applying a folder would do"), ("diff", "how live objects differ from a folder")):
        parser = verbs.add_parser(name, help=short, description=__doc__)
        repository_flags(parser)
        source_flags(parser)
        images_flag(parser)
        parser.add_argument("--offline", action="store_true", help="ask no cluster, compare with an empty one")
        output_flag(parser, "text", "markdown", "json")
        cluster_flags(parser)
        parser.set_defaults(verb=plan if name == "plan" else diff)


def plan(args: argparse.Namespace) -> int:
    """Exit code 0: nothing to do, 2: there are changes, 1: something is wrong."""
    return _show(args, prunes=True)


def diff(args: argparse.Namespace) -> int:
    """As `plan`, for the objects of the folder alone: nothing is said of objects that it does not state."""
    return _show(args, prunes=False)


def _show(args: argparse.Namespace, *, prunes: bool) -> int:
    import asyncio

    from reconciler.cli import show
    from reconciler.cli.folder import overlay_hint
    from reconciler.model.change import Action
    from reconciler.model.problem import Severity

    changes, problems = asyncio.run(_changes(args))
    quiet = (Action.NONE,) if prunes else (Action.NONE, Action.PRUNE, Action.KEEP, Action.HOLD)
    shown = [change for change in changes if change.action not in quiet or change.manifest is not None]
    show.changes(shown, problems, output=args.output)
    show.hint(overlay_hint(args, problems))
    if any(problem.severity is Severity.ERROR for problem in problems):
        return ERROR
    return CHANGES if any(change.action not in (Action.NONE, Action.KEEP) for change in shown) else OK


async def _changes(args: argparse.Namespace) -> "tuple[Sequence[Change], Sequence[Problem]]":
    from functools import partial

    from reconciler.cli.folder import folder_config, load_folder, rendered, source_name
    from reconciler.engine.filling import Filler
    from reconciler.engine.preview import offline, preview
    from reconciler.engine.running import running_images

    if args.offline:
        folder = await load_folder(args)
        manifests = rendered(folder, source=source_name(args), install="offline", adopt=args.adopt)
        return offline(manifests), (*folder.specs.problems, *manifests.problems, *folder.images.problems)

    from reconciler.cli.session import session

    async with session(args) as it:
        config = folder_config(args)
        folder = await load_folder(args, await it.scopes(), partial(running_images, it.cluster, it.store, config))
        install = await it.install(make=False)
        source = source_name(args)
        filling = await Filler(config, it.cluster).fill(folder.specs, images=folder.pinned)
        manifests = rendered(folder, filling, source=source, install=install, adopt=args.adopt)
        changes = await preview(
            folder.snapshot,
            folder.specs,
            manifests,
            cluster=it.cluster,
            config=config,
            owner=it.owner(source, install),
            state=await it.state(source),
        )
        return changes, (*folder.specs.problems, *manifests.problems, *folder.images.problems)
