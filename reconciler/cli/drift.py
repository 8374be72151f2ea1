"""`reconciler drift`: what others changed since Git was applied, who did it, and who wanted it otherwise."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from reconciler.cli.arguments import Verbs, cluster_flags, name, output_flag, paths_flag
from reconciler.cli.exits import CHANGES, ERROR, OK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.cli.applied import Applied
    from reconciler.cli.session import Session
    from reconciler.drift.survey import Seen, Survey
    from reconciler.drift.views import Attributed
    from reconciler.kube.names import Identity
    from reconciler.model.drift import Drift

_NAMED: Final = 3  # of the objects that were not compared


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "drift", help="what others changed in the cluster since Git was applied", description=drift.__doc__
    )
    parser.add_argument(
        "what",
        metavar="SOURCE|PATH",
        nargs="?",
        help="a source's name, or the folder with its specs (default: the folder . and its source)",
    )
    git = parser.add_mutually_exclusive_group()
    git.add_argument("--repo", metavar="URL", help="the source's repository (default: the folder)")
    git.add_argument("--config", metavar="FILE", help="the daemon's configuration: it has the repository and all else")
    parser.add_argument("--ref", metavar="REF", default="main", help="of --repo, where a folder was applied")
    paths_flag(parser)
    parser.add_argument(
        "--namespace", metavar="NAME", type=name, default="default", help="where none is stated (default: %(default)s)"
    )
    parser.add_argument(
        "--source", metavar="NAME", type=name, help="whose specs PATH holds (default: the folder's name)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--watch", action="store_true", help="go on, and say what comes and goes, until interrupted")
    what.add_argument("--heal", metavar="KIND/NAME", help="make this one object what Git states, and nothing else")
    output_flag(parser, "text", "json")
    cluster_flags(parser)
    parser.set_defaults(verb=drift)


def drift(args: argparse.Namespace) -> int:
    """Compares the cluster with what was applied last, not with newer commits. Exit code 0: nothing drifted, 2: there
    is drift, 1: something is wrong."""
    import asyncio

    return asyncio.run(_drift(args))


async def _drift(args: argparse.Namespace) -> int:
    from reconciler.cli.applied import as_applied, chosen
    from reconciler.cli.session import session

    async with session(args) as it:
        source, path = await chosen(it, args)
        if args.watch:
            from reconciler.cli.drift_watch import watch

            return await watch(it, args, source, path)
        async with as_applied(it, args, source, path) as applied:
            survey = surveyed(it, applied)
            await survey.follow()
            check(it, applied, survey)
            if args.heal:
                return await _heal(it, args, applied, survey)
            seen = await survey.look()
            found = [await attributed(applied, each) for each in seen.drifts]
            _show(args, applied, survey, seen, found)
            _hint(it, applied, seen)
    if seen.unread:
        return ERROR
    return CHANGES if found else OK


def surveyed(it: "Session", applied: "Applied") -> "Survey":
    from reconciler.drift.survey import Survey

    return Survey(applied.config, applied.owner, it.cluster, applied.manifests, clock=it.clock)


def check(it: "Session", applied: "Applied", survey: "Survey") -> None:
    """Raises ConfigError where these are not the specs of that source: nothing would seem to have drifted."""
    from reconciler.errors import ConfigError

    source = applied.config.name
    if it.cluster.cache.marked(source) and not set(it.cluster.cache.marked(source)) & survey.items.keys():
        where = applied.config.url
        hint = "name its folder or its --repo; are --paths and --namespace those of the source?"
        raise ConfigError(f"nothing that source {source} has in the cluster is stated in {where}", hint=hint)


async def attributed(applied: "Applied", drift: "Drift") -> "Attributed":
    """`drift` with the lines that wanted it otherwise, and their commits."""
    from reconciler.drift.attribution import Authorship
    from reconciler.drift.views import Attributed

    authorship = Authorship(applied.history, applied.loader)
    manifest = applied.manifests.items[drift.identity]
    paths = [field.path for field in drift.fields]
    places = await authorship.of(manifest, paths, snapshot=applied.snapshot, specs=applied.specs)
    return Attributed(drift, places)


def _show(
    args: argparse.Namespace, applied: "Applied", survey: "Survey", seen: "Seen", found: "list[Attributed]"
) -> None:
    import json

    from reconciler.cli.show import out
    from reconciler.drift.views import text
    from reconciler.plural import counted

    if args.output == "json":
        out(json.dumps(_document(applied, survey, seen, found), indent=2, ensure_ascii=False))
        return
    for each in found:
        out("\n".join(text(each)))
    compared = len(survey.items) - len(seen.unlike) - len(seen.unread)
    verb = "is" if compared == 1 else "are"
    states = f"{applied.revision} states {'it' if compared == 1 else 'them'}"
    if found:
        out(f"{len(found)} of {counted(compared, 'object')} {verb} not as {states}")
    else:
        out(f"no drift: {counted(compared, 'object')} {verb} as {states}")
    for identity, reason in seen.unread.items():
        out(f"! {identity}: {reason}")


def _hint(it: "Session", applied: "Applied", seen: "Seen") -> None:
    """What was not compared, and why."""
    from reconciler.cli.show import hint
    from reconciler.model.ownership import Ownership, ownership

    hint(applied.note)
    if seen.unlike:
        some = _some(seen.unlike)
        hint(f"{some} came from another text than this, so nobody can say who changed what; `reconciler plan` compares")
    stated = applied.manifests.items
    owned = [
        live.identity
        for live in it.cluster.cache.of_source(applied.config.name)
        if live.identity not in stated and ownership(live, applied.owner) is Ownership.OURS
    ]
    if unstated := [identity for identity in owned if identity.kind != "Job"]:  # those that ended are kept
        where = f"not stated in {applied.revision}, or invalid there"
        hint(f"{_some(unstated)} not compared: {where}; are --paths those of the source?")


def _document(applied: "Applied", survey: "Survey", seen: "Seen", found: "list[Attributed]") -> dict[str, Any]:
    from reconciler.drift.views import VERSION, document

    return {
        "version": VERSION,
        "source": applied.config.name,
        "commit": applied.snapshot.revision.commit or None,
        "objects": len(survey.items),
        "drift": [document(each) for each in found],
        "unlike": [identity._asdict() for identity in seen.unlike],
        "unread": [{**identity._asdict(), "reason": reason} for identity, reason in seen.unread.items()],
    }


def _some(identities: "Iterable[Identity]") -> str:
    names = [str(identity) for identity in identities]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


async def _heal(it: "Session", args: argparse.Namespace, applied: "Applied", survey: "Survey") -> int:
    """Exactly the one object, whatever its mode: a person has asked for it."""
    from reconciler.cli.show import out
    from reconciler.drift.views import text
    from reconciler.errors import ConfigError

    source = applied.config.name
    if (await it.store.load(source)).suspended:
        raise ConfigError(
            f"source {source} is suspended, so nothing is written", hint=f"`reconciler resume {source}` goes on"
        )
    identity = _meant(it, args, survey)
    seen = await survey.look([identity])
    if identity in seen.unread:
        raise ConfigError(f"{identity} cannot be looked at", why=seen.unread[identity])
    if seen.unlike:
        raise ConfigError(
            f"{identity} came from another text than this", hint="`reconciler plan` shows how they differ"
        )
    if not seen.drifts:
        out(f"{identity} is as {applied.revision} states it: there is nothing to heal")
        return OK
    found = await attributed(applied, seen.drifts[0])
    out("\n".join(text(found)))
    await survey.heal(found.drift)
    (again,) = (await survey.look([identity])).drifts or (None,)
    if again is not None:
        out(f"! {identity} was applied and is not as Git states it: does an admission webhook rewrite it?")
        return ERROR
    out(f"✓ {identity} healed: it is as {applied.revision} states it")
    return OK


def _meant(it: "Session", args: argparse.Namespace, survey: "Survey") -> "Identity":
    """The object that --heal names: it may be gone from the cluster. Raises ConfigError."""
    from difflib import get_close_matches

    from reconciler.errors import ConfigError

    kind, *rest = args.heal.split("/")
    if len(rest) not in (1, 2) or not all((kind, *rest)):
        raise ConfigError(f"{args.heal!r} names no object", hint="write KIND/NAME or KIND/NAMESPACE/NAME")
    served = it.cluster.discovery.resources
    meant = []
    for identity in survey.items:
        resource = served.get(identity.group_kind)
        words = {identity.kind.lower(), str(identity.group_kind).lower(), resource.plural if resource else ""}
        if kind.lower() in words and [identity.namespace, identity.name][-len(rest) :] == rest:
            meant.append(identity)
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ConfigError(f"{args.heal!r} may be {_some(meant)}", hint="write KIND/NAMESPACE/NAME")
    close = get_close_matches(args.heal.lower(), [f"{i.kind}/{i.name}".lower() for i in survey.items], 1)
    hint = f"did you mean {close[0]}?" if close else "`reconciler explain` says whose an object is"
    raise ConfigError(f"the source states no {args.heal}", hint=hint)
