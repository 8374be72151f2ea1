"""`reconciler status` and `reconciler history`: how things stand, read from the cluster itself; no daemon is asked."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from reconciler.cli.arguments import Verbs, cluster_flags, output_flag
from reconciler.cli.exits import ERROR, OK

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.state import SourceState

_NAMED: Final = 3  # of the objects that are held for one reason


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("status", help="sources, objects and their health", description=status.__doc__)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="default: all")
    parser.add_argument("--watch", action="store_true", help="again every two seconds, until interrupted")
    output_flag(parser, "text", "json")
    cluster_flags(parser)
    parser.set_defaults(verb=status)
    past = verbs.add_parser("history", help="the last passes over a source", description=history.__doc__)
    past.add_argument("source", metavar="SOURCE", nargs="?", help="may be left out where there is only one")
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
    import sys

    from reconciler.cli import planned
    from reconciler.cli.session import session
    from reconciler.cli.show import out

    async with session(args) as it:
        while True:
            names = [await it.known(args.source)] if args.source else await it.store.sources() or [await it.known(None)]
            states = [await it.store.load(name) for name in names]
            await it.cluster.watch({kind for state in states for kind in state.kinds})
            found = [_describe(it.cluster.cache, state, it.clock.now()) for state in states]
            planner = await planned.planner(it)
            if args.output == "json":
                out(json.dumps({"sources": found, "planner": planned.document(planner)}, indent=2))
            else:
                clear = "\x1b[H\x1b[J" if args.watch and sys.stdout.isatty() else ""
                blocks = [_text(each) for each in found]
                if lines := planned.standing(planner):
                    blocks.append("\n  ".join(("planner", *lines)))
                out(clear + "\n\n".join(blocks))
            if not args.watch:
                return OK if all(each["ok"] for each in found) else ERROR
            sys.stdout.flush()
            await asyncio.sleep(2)
            if args.output == "text" and not sys.stdout.isatty():
                out("")
            for name in names:
                await it.store.reload(name)


def _describe(cache: Any, state: "SourceState", now: "datetime") -> dict[str, Any]:
    """One source as plain values."""
    from reconciler.cluster.health.assess import assess
    from reconciler.model.health import Status
    from reconciler.model.manifest import ANNOTATION_PRUNE

    objects = []
    for live in cache.of_source(state.source):
        if live.metadata.get("ownerReferences"):
            continue
        health = assess(live.object, now)
        kept = "never pruned" if live.annotations.get(ANNOTATION_PRUNE) == "false" else ""
        message = ", ".join(part for part in (health.message, kept) if part)
        objects.append({"object": str(live.identity), "health": health.status.value, "message": message})
    last = state.history[-1] if state.history else None
    bad = {Status.DEGRADED, Status.MISSING}
    return {
        "source": state.source,
        "ok": not any(each["health"] in bad for each in objects) and (last is None or last.ok),
        "applied": state.applied.commit if state.applied else None,
        "seen": state.seen.commit if state.seen else None,
        "suspended": state.suspended,
        "last": {"commit": last.revision.commit, "subject": last.revision.subject, **last.document()} if last else None,
        "held": [each.document() for each in state.held],
        "left": [{"kind": str(each.kind), "namespace": each.namespace, "count": each.count} for each in state.left],
        "objects": objects,
    }


def _text(found: dict[str, Any]) -> str:
    from datetime import datetime

    from reconciler.cli.show import table, when

    lines = [f"source {found['source']}{' (suspended: nothing is written)' if found['suspended'] else ''}"]
    if last := found["last"]:
        place = f"{last['commit'][:12]} {last['subject']}" if last["commit"] else "a folder"
        word = "applied" if last["ok"] else "tried"
        lines.append(f"  {word} {place}, {when(datetime.fromisoformat(last['finished']))}")
        lines += [f"  ! {message}" for message in last["messages"]]
        if (more := last["failed"] - len(last["messages"])) > 0:
            lines.append(f"  ! and {more} more")
    held: dict[tuple[str, str], list[str]] = {}
    for each in found["held"]:
        held.setdefault((each["reason"].removeprefix("held: "), each["hint"]), []).append(each["object"])
    for (reason, hint), objects in held.items():
        more = f" and {len(objects) - _NAMED} more" if len(objects) > _NAMED else ""
        lines.append(f"  held: {', '.join(objects[:_NAMED])}{more}")
        lines += [f"    {text}" for text in (f"because: {reason}", f"hint: {hint}" if hint else "") if text]
    lines += _left(found["left"])
    rows = [("OBJECT", "HEALTH", ""), *((o["object"], o["health"], o["message"]) for o in found["objects"])]
    lines.append(table(rows, indent="  ") if found["objects"] else "  no objects")
    return "\n".join(lines)


def _left(left: list[dict[str, Any]]) -> list[str]:
    """What is kept outside of the namespaces that the source is bound to."""
    if not left:
        return []
    places: dict[str, list[str]] = {}
    for each in left:
        count = "unknown" if each["count"] is None else each["count"]
        places.setdefault(each["namespace"], []).append(f"{each['kind']}: {count}")
    lines = ["  left behind, kept and no longer managed: outside of the source's namespaces"]
    for place, kinds in sorted(places.items()):
        lines.append(f"    {f'in {place}' if place else 'in no namespace'}: {', '.join(kinds)}")
    return [*lines, "    hint: name the namespace again to manage it, or delete by hand what is not needed"]


def history(args: argparse.Namespace) -> int:
    """The last passes over a source, newest first."""
    import asyncio

    return asyncio.run(_history(args))


async def _history(args: argparse.Namespace) -> int:
    import json
    from datetime import UTC

    from reconciler.cli.session import session
    from reconciler.cli.show import done, out, table

    async with session(args) as it:
        source = await it.known(args.source)
        passes = list(reversed((await it.store.load(source)).history))
    if args.output == "json":
        rows = [
            {
                "commit": each.revision.commit,
                "author": each.revision.author,
                "subject": each.revision.subject,
                "started": each.started.isoformat(),
                **each.document(),
            }
            for each in passes
        ]
        out(json.dumps({"source": source, "passes": rows}, indent=2))
        return OK
    if not passes:
        out(f"no pass over source {source} is remembered")
        return OK
    lines = [("FINISHED (UTC)", "COMMIT", "RESULT", "DONE", "SUBJECT")]
    for each in passes:
        result = "superseded" if each.superseded else "ok" if each.ok else f"{each.failed} failed"
        lines.append(
            (
                f"{each.finished.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                each.revision.short or "a folder",
                result,
                done(each.done),
                each.revision.subject if each.revision.commit else "",
            )
        )
    out(table(lines))
    return OK
