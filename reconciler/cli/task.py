"""`reconciler task retry`: run a Task once more that ran already, or of which nobody knows whether it did."""

import argparse
from typing import TYPE_CHECKING

from reconciler.cli.arguments import Verbs, cluster_flags
from reconciler.cli.exits import OK

if TYPE_CHECKING:
    from reconciler.cli.session import Session
    from reconciler.kube.names import Identity
    from reconciler.model.change import Live


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("task", help="run a Task once more", description=task.__doc__)
    parser.add_argument("order", metavar="retry", choices=["retry"], help="the one thing that can be asked for")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument(
        "name", metavar="TASK", help="the name of a Task, or of one of its Jobs; NAMESPACE/NAME works too"
    )
    cluster_flags(parser)
    parser.set_defaults(verb=task)


def task(args: argparse.Namespace) -> int:
    """Have the newest Job of a Task, or the one that is named, made once more by the next pass. A Job that ended is
    deleted first; one that runs is left alone, and that is an error."""
    import asyncio

    return asyncio.run(_retry(args))


async def _retry(args: argparse.Namespace) -> int:
    from reconciler.cli.session import session
    from reconciler.cli.show import out

    async with session(args) as it:
        source = await it.known(args.source)
        job, live = await _find(it, source, args.name)
        if live is not None:
            await it.cluster.delete(live)
        it.store.update(source, lambda state: state.running_again({job}))
        await it.store.flush(source)
    out(f"{job} is made again by the next pass of the daemon, or of `reconciler apply`")
    return OK


async def _find(it: "Session", source: str, name: str) -> "tuple[Identity, Live | None]":
    """The Job that is meant, and what is left of it. Raises ConfigError where it runs, or where it is not clear."""
    from reconciler.diff.prune import finish
    from reconciler.errors import ConfigError
    from reconciler.kube.kinds import JOB
    from reconciler.model.manifest import LABEL_SOURCE

    state = await it.store.load(source)
    space, _, word = name.rpartition("/")
    meant = {
        job
        for job in state.made | state.ran
        if word in (job.name, job.name.rpartition("-")[0]) and space in ("", job.namespace)
    }
    if not meant:
        raise ConfigError(
            f"source {source} has made no Job for {name}",
            hint=f"`reconciler status {source}` shows what it has; a Task on a schedule has no Job of its own",
        )
    if len(spaces := sorted({job.namespace for job in meant})) > 1:
        raise ConfigError(f"there is a {word} in {' and '.join(spaces)}", hint=f"name one: {spaces[0]}/{word}")
    held = {each.identity for each in state.held} & meant
    if len(held) == 1:
        return held.pop(), None
    listed = await it.cluster.list(JOB, spaces[0], f"{LABEL_SOURCE}={source}")
    there = {live.identity: live for live in listed if live.identity in meant}
    if not there:
        if len(meant) == 1:
            return meant.pop(), None
        raise ConfigError(
            f"no Job of {name} is there", hint=f"name one of {', '.join(job.name for job in sorted(meant))}"
        )
    newest = max(there.values(), key=lambda live: str(live.metadata.get("creationTimestamp")))
    if not finish(newest.object)[0]:
        raise ConfigError(
            f"{newest.identity} has not ended, and a Task is not run beside itself",
            hint=f"kubectl delete job -n {newest.identity.namespace} {newest.identity.name} ends it; then ask again",
        )
    return newest.identity, newest
