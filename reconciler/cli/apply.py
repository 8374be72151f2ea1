"""`reconciler apply`: one pass over a folder of specs, as the daemon would make it."""

import argparse
from typing import TYPE_CHECKING

from reconciler.cli.arguments import (
    Verbs,
    at_least_one,
    cluster_flags,
    images_flag,
    output_flag,
    repository_flags,
    seconds,
    source_flags,
)
from reconciler.cli.exits import ERROR, OK

if TYPE_CHECKING:
    from reconciler.engine.filling import Planning
    from reconciler.engine.images import Images
    from reconciler.engine.surroundings import Repository


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("apply", help="make the cluster as a folder says, once", description=__doc__)
    repository_flags(parser)
    source_flags(parser)
    images_flag(parser)
    parser.add_argument(
        "--plan", metavar="FILE", help="what `reconciler plan --base REV --out FILE` saved, if all is as it was then"
    )
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait until everything is healthy")
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=seconds,
        default=300.0,
        help="how long to wait for health, and for a dependency: seconds, or 90s, 5m (default: 5m)",
    )
    parser.add_argument(
        "--concurrency", metavar="N", type=at_least_one, default=8, help="requests in flight (default: %(default)s)"
    )
    output_flag(parser, "text", "json")
    cluster_flags(parser)
    parser.set_defaults(verb=apply)


def apply(args: argparse.Namespace) -> int:
    import asyncio

    from reconciler.cli.collector import collect_seldom

    collect_seldom()
    return asyncio.run(_apply(args))


async def _apply(args: argparse.Namespace) -> int:
    from contextlib import AsyncExitStack
    from functools import partial

    from reconciler.cli.folder import FolderRepository, folder_config, overlay_hint, planner_of, read_folder
    from reconciler.cli.imaged import FolderLook
    from reconciler.cli.progress import Progress
    from reconciler.cli.session import session
    from reconciler.cli.show import hint
    from reconciler.drift.drifts import Drifts
    from reconciler.drift.warden import Warden
    from reconciler.engine.claims import Claims
    from reconciler.engine.reconciler import Reconciler
    from reconciler.engine.running import running_images
    from reconciler.engine.settle import settle
    from reconciler.engine.surroundings import Surroundings
    from reconciler.errors import ConfigError

    async with AsyncExitStack() as stack:
        planning: Planning | None = None
        images: Images
        repository: Repository
        if args.plan:
            from reconciler.cli.saved import check, planned_source, read
            from reconciler.review.saving import FrozenImages, FrozenPlanning

            plan = read(args.plan)
            config, repository = git = planned_source(stack, args, plan)
            it = await stack.enter_async_context(session(args))
            await check(args, it, *git, plan)
            planning, images = FrozenPlanning(plan) if plan.planned else None, FrozenImages(plan)
        else:
            config = folder_config(args)
            folder, _snapshot = await read_folder(args)
            trees = repository = FolderRepository(folder)
            it = await stack.enter_async_context(session(args))
            images = FolderLook(args, trees, partial(running_images, it.cluster, it.store, config), builds=True)
        progress = Progress(args.output)
        install = await it.install(make=True)
        drifts = Drifts(progress, it.clock)
        owner = it.owner(config.name, install)
        reconciler = Reconciler(
            config,
            repository,
            Surroundings(
                cluster=it.cluster,
                store=it.store,
                install=install,
                claims=Claims(),
                clock=it.clock,
                random=it.random,
                emit=progress,
                concurrency=args.concurrency,
                wait_timeout=args.timeout,
                planning=planning,
                planner=planner_of(args.config),
            ),
            Warden(config, owner, it.cluster, drifts, clock=it.clock, random=it.random),
            images,
        )
        await reconciler.poll()
        if await reconciler.suspended():
            raise ConfigError(
                f"source {config.name} is suspended, so nothing is applied",
                hint=f"`reconciler resume {config.name}` goes on",
            )
        result = await reconciler.work()
        if result is None:
            raise ConfigError("nothing was applied", why=progress.failure)
        unhealthy = (
            await settle(it.cluster.cache, result, timeout=args.timeout, waiting=progress.waiting) if args.wait else {}
        )
        ok = progress.end(result, unhealthy)
        hint(overlay_hint(args, result.problems))
        return OK if ok else ERROR
