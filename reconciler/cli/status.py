"""`reconciler status` and `reconciler history`: how things stand, read from the cluster itself; no daemon is asked."""

import argparse
from typing import TYPE_CHECKING, Any

from reconciler.cli.arguments import Verbs, cluster_flags, output_flag
from reconciler.cli.exits import ERROR, OK

if TYPE_CHECKING:
    from reconciler.model.state import SourceState


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("status", help="sources, objects and their health", description=status.__doc__)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="default: all")
    parser.add_argument("--watch", action="store_true", help="again every two seconds, until interrupted")
    output_flag(parser, "text", "json")
    cluster_flags(parser)
    parser.set_defaults(verb=status)
    past = verbs.add_parser("history", help="the last passes over a source", description=history.__doc__)
    past.add_argument("source", metavar="SOURCE")
    output_flag(past, "text", "json")
    cluster_flags(past)
    past.set_defaults(verb=history)


def status(args: argparse.Namespace) -> int:
    """Exit code 1 where an object is degraded or missing, or the last pass failed."""
    import asyncio

    return asyncio.run(_status(args))


async def _status(args: argparse.Namespace) -> int:
    import asyncio
    import json

    from reconciler.cli.session import session
    from reconciler.cli.show import out
    from reconciler.errors import ConfigError

    async with session(args) as it:
        while True:
            names = [args.source] if args.source else await it.store.sources()
            if not names:
                hint = "the daemon makes it with its first pass; is --state-namespace right?"
                raise ConfigError(f"no source has a state in namespace {args.state_namespace}", hint=hint)
            states = [await it.store.load(name) for name in names]
            await it.cluster.watch({kind for state in states for kind in state.kinds})
            found = [_describe(it.cluster.cache, state) for state in states]
            if args.output == "json":
                out(json.dumps({"sources": found}, indent=2))
            else:
                out("\n\n".join(_text(each) for each in found))
            if not args.watch:
                return OK if all(each["ok"] for each in found) else ERROR
            await asyncio.sleep(2)
            out("")
            for name in names:
                await it.store.reload(name)


def _describe(cache: Any, state: "SourceState") -> dict[str, Any]:
    """One source as plain values."""
    from reconciler.cluster.health.assess import assess
    from reconciler.model.health import Status

    objects = []
    for live in cache.of_source(state.source):
        if live.metadata.get("ownerReferences"):
            continue
        health = assess(live.object)
        objects.append({"object": str(live.identity), "health": health.status.value, "message": health.message})
    last = state.history[-1] if state.history else None
    bad = {Status.DEGRADED, Status.MISSING}
    return {
        "source": state.source,
        "ok": not any(each["health"] in bad for each in objects) and (last is None or last.ok),
        "applied": state.applied.commit if state.applied else None,
        "seen": state.seen.commit if state.seen else None,
        "suspended": state.suspended,
        "last": {
            "commit": last.revision.commit,
            "subject": last.revision.subject,
            "finished": last.finished.isoformat(),
            "ok": last.ok,
            "done": dict(last.done),
            "failed": last.failed,
            "messages": list(last.messages),
        }
        if last
        else None,
        "held": [{"object": str(h.identity), "reason": h.reason, "hint": h.hint} for h in state.held],
        "objects": objects,
    }


def _text(found: dict[str, Any]) -> str:
    from reconciler.cli.show import table

    head = f"source {found['source']}"
    if found["suspended"]:
        head += " (suspended)"
    lines = [head]
    if last := found["last"]:
        lines.append(f"  at {last['commit'][:12] or 'a folder'} {last['subject']}, {last['finished']}")
        lines += [f"  ! {message}" for message in last["messages"]]
    for held in found["held"]:
        lines.append(f"  held: {held['object']}: {held['reason']}")
        if held["hint"]:
            lines.append(f"    hint: {held['hint']}")
    rows = [("OBJECT", "HEALTH", ""), *((o["object"], o["health"], o["message"]) for o in found["objects"])]
    lines.append(table(rows, indent="  ") if found["objects"] else "  no objects")
    return "\n".join(lines)


def history(args: argparse.Namespace) -> int:
    """The last passes over a source, newest first."""
    import asyncio

    return asyncio.run(_history(args))


async def _history(args: argparse.Namespace) -> int:
    import json

    from reconciler.cli.session import session
    from reconciler.cli.show import out, table

    async with session(args) as it:
        passes = list(reversed((await it.store.load(args.source)).history))
    if args.output == "json":
        rows = [
            {
                "commit": each.revision.commit,
                "author": each.revision.author,
                "subject": each.revision.subject,
                "started": each.started.isoformat(),
                "finished": each.finished.isoformat(),
                "ok": each.ok,
                "done": dict(each.done),
                "failed": each.failed,
                "messages": list(each.messages),
            }
            for each in passes
        ]
        out(json.dumps({"source": args.source, "passes": rows}, indent=2))
        return OK
    if not passes:
        out(f"no pass over source {args.source} is remembered")
        return OK
    lines = [("FINISHED", "COMMIT", "RESULT", "DONE", "SUBJECT")]
    for each in passes:
        done = ", ".join(f"{count} {action}" for action, count in sorted(each.done.items()) if action != "unchanged")
        result = "superseded" if each.superseded else "ok" if each.ok else f"{each.failed} failed"
        lines.append(
            (
                f"{each.finished:%Y-%m-%d %H:%M:%S}",
                each.revision.short,
                result,
                done or "nothing",
                each.revision.subject,
            )
        )
    out(table(lines))
    return OK
