"""`reconciler prune`, `suspend` and `resume`: what a person says to the daemon. It is kept in the cluster, where the
daemon sees it at once, or when it starts."""

import argparse
from dataclasses import replace

from reconciler.cli.arguments import Verbs, cluster_flags
from reconciler.cli.exits import OK


def add(verbs: Verbs) -> None:
    pruning = verbs.add_parser("prune", help="show held deletions, or approve them", description=prune.__doc__)
    pruning.add_argument("source", metavar="SOURCE")
    pruning.add_argument("--approve", action="store_true", help="have exactly the deletions that are shown done, once")
    cluster_flags(pruning)
    pruning.set_defaults(verb=prune)
    for name, verb in (("suspend", suspend), ("resume", resume)):
        parser = verbs.add_parser(name, help=f"{name} a source", description=verb.__doc__)
        parser.add_argument("source", metavar="SOURCE")
        cluster_flags(parser)
        parser.set_defaults(verb=verb)


def prune(args: argparse.Namespace) -> int:
    """Show the deletions that wait for an approval; with --approve, approve these very objects and no others."""
    import asyncio

    return asyncio.run(_prune(args))


async def _prune(args: argparse.Namespace) -> int:
    from reconciler.cli.session import session
    from reconciler.cli.show import out, table

    async with session(args) as it:
        state = await it.store.load(args.source)
        held = [each for each in state.held if each.deletion]
        if not held:
            out(f"nothing that source {args.source} would delete is held")
            return OK
        out(table([("OBJECT", "WHY"), *((str(each.identity), each.reason) for each in held)]))
        if state.held_more:
            out(f"and {state.held_more} more that are not listed here: approve these first")
        if not args.approve:
            out(f"approve exactly these {len(held)}: reconciler prune {args.source} --approve")
            return OK
        uids = frozenset(each.uid for each in held)
        it.store.update(args.source, lambda s: replace(s, approved=s.approved | uids))
        await it.store.flush(args.source)
        out(f"approved {len(held)} deletions, once; the daemon makes them with its next pass")
        return OK


def suspend(args: argparse.Namespace) -> int:
    """Stop writing for a source: no commit is applied and no drift healed until `resume`."""
    return _switch(args, suspended=True)


def resume(args: argparse.Namespace) -> int:
    """Go on with a source that was suspended."""
    return _switch(args, suspended=False)


def _switch(args: argparse.Namespace, *, suspended: bool) -> int:
    import asyncio

    from reconciler.cli.session import session
    from reconciler.cli.show import out

    async def switch() -> int:
        async with session(args) as it:
            await it.store.load(args.source)
            it.store.update(args.source, lambda s: replace(s, suspended=suspended))
            await it.store.flush(args.source)
        out(f"source {args.source} is {'suspended' if suspended else 'resumed'}")
        return OK

    return asyncio.run(switch())
