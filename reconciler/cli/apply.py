"""`reconciler apply`: one pass over a folder of specs, as the daemon would make it."""

import argparse

from reconciler.cli.arguments import Verbs, cluster_flags, output_flag, repository_flags, source_flags
from reconciler.cli.exits import ERROR, OK


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("apply", help="make the cluster as a folder says, once", description=__doc__)
    repository_flags(parser)
    source_flags(parser)
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait until everything is healthy")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=300.0, help="default: %(default)s")
    parser.add_argument(
        "--concurrency", metavar="N", type=int, default=8, help="requests in flight (default: %(default)s)"
    )
    output_flag(parser, "text", "json")
    cluster_flags(parser)
    parser.set_defaults(verb=apply)


def apply(args: argparse.Namespace) -> int:
    import asyncio

    return asyncio.run(_apply(args))


async def _apply(args: argparse.Namespace) -> int:
    from reconciler.cli.folder import FolderRepository, directory
    from reconciler.cli.progress import Progress
    from reconciler.cli.session import folder_config, session
    from reconciler.engine.claims import Claims
    from reconciler.engine.reconciler import Reconciler, Surroundings
    from reconciler.engine.settle import settle

    async with session(args) as it:
        progress = Progress(args.output)
        reconciler = Reconciler(
            folder_config(args),
            FolderRepository(directory(args, args.source)),
            Surroundings(
                cluster=it.cluster,
                store=it.store,
                install=await it.install(make=True),
                claims=Claims(),
                clock=it.clock,
                random=it.random,
                emit=progress,
                concurrency=args.concurrency,
                wait_timeout=args.timeout,
            ),
        )
        await reconciler.poll()
        result = await reconciler.work()
        if result is None:
            return ERROR
        unhealthy = (
            await settle(it.cluster.cache, result, timeout=args.timeout, waiting=progress.waiting) if args.wait else {}
        )
        progress.end(result, unhealthy)
        return OK if result.ok and not unhealthy else ERROR
