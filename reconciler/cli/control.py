"""`reconciler prune`, `suspend` and `resume`: what a person says to the daemon. It is kept in the cluster, where the
daemon sees it at once, or when it starts."""

import argparse
from dataclasses import replace

from reconciler.cli.arguments import Verbs, cluster_flags
from reconciler.cli.exits import OK


def add(verbs: Verbs) -> None:
    pruning = verbs.add_parser("prune", help="show held deletions, or approve them", description=prune.__doc__)
    pruning.add_argument("source", metavar="SOURCE", nargs="?", help="may be left out where there is only one")
    pruning.add_argument("--approve", action="store_true", help="have exactly the deletions that are shown done, once")
    cluster_flags(pruning)
    pruning.set_defaults(verb=prune)
    for name, verb, short in (
        ("suspend", suspend, "stop writing for a source"),
        ("resume", resume, "go on with a suspended source"),
    ):
        parser = verbs.add_parser(name, help=short, description=verb.__doc__)
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
    from reconciler.plural import counted

    async with session(args) as it:
        source = await it.known(args.source)
        state = await it.store.load(source)
        waiting = [each for each in state.held if each.deletion and each.uid not in state.approved]
        if not waiting:
            approved = sum(each.deletion for each in state.held)
            soon = f"{counted(approved, 'deletion')} approved, done with the next pass; " if approved else ""
            out(f"{soon}no deletion of source {source} waits for an approval")
            return OK
        rows = ((str(each.identity), each.reason.removeprefix("held: ")) for each in waiting)
        out(table([("OBJECT", "WHY"), *rows]))
        if state.held_more:
            out(f"and {state.held_more} more that are not listed here: approve these first")
        if not args.approve:
            out(f"approve exactly these {len(waiting)}: reconciler prune {source} --approve")
            return OK
        uids = frozenset(each.uid for each in waiting)
        it.store.update(source, lambda s: replace(s, approved=s.approved | uids))
        await it.store.flush(source)
        out(f"approved {counted(len(waiting), 'deletion')}, once; the daemon, or `reconciler apply`, does them next")
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
            source = await it.known(args.source)
            before = await it.store.load(source)
            it.store.update(source, lambda s: replace(s, suspended=suspended))
            await it.store.flush(source)
        word = "suspended" if suspended else "resumed" if before.suspended else "not suspended"
        out(f"source {source} is {word}{' already' if suspended and before.suspended else ''}")
        return OK

    return asyncio.run(switch())
