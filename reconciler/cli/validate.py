"""`reconciler validate`: everything that is wrong with a folder of specs, at once, with file and line."""

import argparse

from reconciler.cli.arguments import Verbs, output_flag, repository_flags
from reconciler.cli.exits import ERROR, OK


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("validate", help="check specs without a cluster", description=__doc__)
    repository_flags(parser)
    # Not `config`, by which registries would be asked: nobody is.
    parser.add_argument(
        "--config",
        dest="daemon",
        metavar="FILE",
        help="a daemon's configuration: the limits of its planner are kept, and the pools are those that it names",
    )
    output_flag(parser, "text", "json")
    parser.set_defaults(verb=validate)


def validate(args: argparse.Namespace) -> int:
    import asyncio

    from reconciler.cli.folder import load_folder, overlay_hint, planner_of, rendered, source_name
    from reconciler.cli.show import hint, problems
    from reconciler.model.problem import Severity
    from reconciler.render.poolless import poolless

    planner = planner_of(args.daemon)
    pools = {pool.name: pool.node_selector for pool in planner.pools} if planner is not None else {}
    folder = asyncio.run(load_folder(args, planner=planner))
    manifests = rendered(folder, source=source_name(args), install="offline", pools=pools)
    unnamed = poolless(folder.specs) if args.daemon and not pools else ()
    found = (*folder.specs.problems, *manifests.problems, *unnamed)
    problems(found, folder.snapshot.skipped, documents=len(folder.specs.documents), output=args.output)
    hint(overlay_hint(args, found))
    return ERROR if any(p.severity is Severity.ERROR for p in found) else OK
