"""`reconciler snapshot` and `reconciler simulate`: where everything fits, and what would be if."""

import argparse
from typing import TYPE_CHECKING, Final

from reconciler.cli.arguments import Verbs, at_least_one, cluster_flags, output_flag, png_flag
from reconciler.cli.exits import CHANGES, OK

if TYPE_CHECKING:
    from reconciler.model.planner_config import PlannerConfig
    from reconciler.model.planning import Pool
    from reconciler.planner.snapshot import ClusterView

_MOST_NODES: Final = 10_000  # that are added to a pool: more take hours and all memory


def add(verbs: Verbs) -> None:
    taken = verbs.add_parser(
        "snapshot", help="the cluster as the planner sees it, in a file", description=snapshot.__doc__
    )
    taken.add_argument("file", metavar="FILE", nargs="?", help="default: standard output")
    cluster_flags(taken)
    taken.set_defaults(verb=snapshot)
    parser = verbs.add_parser(
        "simulate", help="where everything fits, and what would be if", description=simulate.__doc__
    )
    parser.add_argument(
        "--snapshot", metavar="FILE", help="what `reconciler snapshot` wrote (default: ask the cluster)"
    )
    parser.add_argument(
        "--config", metavar="FILE", help="the daemon's configuration: its pools, quotas, profile and weights"
    )
    parser.add_argument("--kill-zone", metavar="ZONE", action="append", default=[], help="as if its nodes had gone")
    parser.add_argument("--load", metavar="FACTOR", type=float, default=1.0, help="as if that many times the replicas")
    parser.add_argument(
        "--add-nodes", metavar="POOL=N", type=_more, action="append", default=[], help="as if N more were there"
    )
    parser.add_argument(
        "--profile", choices=("balanced", "cost", "resilient"), help="default: the configuration's, else balanced"
    )
    parser.add_argument("--weight", metavar="TERM=N", type=_weight, action="append", default=[], help="over those")
    parser.add_argument("--explain", metavar="KIND/NAMESPACE/NAME", help="why one workload is where it is")
    png_flag(parser)
    output_flag(parser, "text", "json")
    cluster_flags(parser)
    parser.set_defaults(verb=simulate)


def _more(text: str) -> tuple[str, int]:
    pool, equals, count = text.rpartition("=")
    if not equals or not pool:
        raise argparse.ArgumentTypeError(f"{text!r} is not POOL=N")
    if (more := at_least_one(count)) > _MOST_NODES:
        raise argparse.ArgumentTypeError(f"{count} nodes are more than {_MOST_NODES}")
    return pool, more


def _weight(text: str) -> tuple[str, float]:
    term, _, weight = text.rpartition("=")
    try:
        return term, float(weight)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not TERM=N") from None


def snapshot(args: argparse.Namespace) -> int:
    """Nodes, pods and workloads, cut down to what decides where something fits: no environment, argument, annotation
    or Secret is in it."""
    import asyncio
    import json
    from pathlib import Path

    from reconciler.cli.show import out
    from reconciler.cli.snapshots import taken

    text = json.dumps(asyncio.run(taken(args)), indent=1)
    if args.file:
        Path(args.file).write_text(f"{text}\n", encoding="utf-8")
    else:
        out(text)
    return OK


def simulate(args: argparse.Namespace) -> int:
    """Plans all Deployments and StatefulSets anew, starting from where their pods run; nothing is changed. Exit code 0:
    every replica has a place, 2: some have none, 1: something is wrong."""
    import json
    from dataclasses import replace
    from datetime import UTC, datetime

    from reconciler.cli.show import out
    from reconciler.cli.snapshots import drawn, planner_config
    from reconciler.errors import ConfigError
    from reconciler.model.planning_policy import WrongPolicy
    from reconciler.planner import words
    from reconciler.planner.configured import policy
    from reconciler.planner.drawing import heat
    from reconciler.planner.loads import loads
    from reconciler.planner.plan import plan
    from reconciler.planner.report import shown

    config = planner_config(args.config)
    view, pools = _asked(args, config)
    stated = policy(config, {}).policy
    try:
        weights = {**stated.weights, **dict(args.weight)}
        asked = replace(stated, profile=args.profile or stated.profile, weights=weights)
    except WrongPolicy as error:
        what, _, hint = str(error).partition("; hint: ")
        raise ConfigError(what, hint=hint) from None
    found = plan(view.nodes, view.pods, view.needs, pools, asked, quotas=view.quotas)
    planned = shown(found, view, pools, made=datetime.now(UTC), profile=asked.profile)
    if args.png:
        drawn(args.png, heat(loads(found, view, pools)))
    if args.explain:
        named = next((each for each in planned.workloads if each.document.lower() == args.explain.lower()), None)
        if named is None:
            raise ConfigError(f"there is no workload {args.explain}", hint="such as Deployment/shop/web")
        out("\n".join(words.workload(named)))
    elif args.output == "json":
        moves = [{"workload": str(m.identity), "from": m.origin, "to": m.target or None} for m in found.moves]
        out(json.dumps({**words.document(planned), "moves": moves}, indent=2))
    else:
        out(words.text(planned))
    return CHANGES if found.unplaced else OK


def _asked(args: argparse.Namespace, config: "PlannerConfig") -> "tuple[ClusterView, tuple[Pool, ...]]":
    """The cluster as it is to be imagined, and its pools."""
    import asyncio

    from reconciler.cli.snapshots import objects, taken
    from reconciler.errors import ConfigError
    from reconciler.model.cluster_view import ZONE
    from reconciler.planner import configured, pools, whatif
    from reconciler.planner.snapshot import view

    seen = view(objects(args.snapshot) if args.snapshot else asyncio.run(taken(args))["objects"])
    known = configured.pools(config) or pools.found(seen.nodes)
    for pool, count in args.add_nodes:
        try:
            seen = whatif.with_nodes(seen, known, pool, count)
        except KeyError:
            names = ", ".join(each.name for each in known)
            raise ConfigError(f"there is no pool {pool!r} with a node", hint=f"there are {names or 'none'}") from None
    for zone in args.kill_zone:
        try:
            seen = whatif.without_zone(seen, zone)
        except KeyError:
            raise ConfigError(f"no node is in zone {zone!r}", hint=f"its label is {ZONE}") from None
    try:
        return whatif.loaded(seen, args.load), known
    except ValueError:
        raise ConfigError(f"--load {args.load}: not a load", hint="a factor from 0 to 1000") from None
