"""`reconciler run`: the daemon."""

import argparse

from reconciler.cli.arguments import Verbs
from reconciler.cli.exits import OK


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("run", help="the daemon: keep the cluster as Git says", description=__doc__)
    parser.add_argument("--config", metavar="FILE", default="/etc/reconciler/config.yaml", help="default: %(default)s")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    import asyncio

    from reconciler.daemon.log import log_to_stderr
    from reconciler.daemon.serve import serve
    from reconciler.specs.config import read_config

    config = read_config(args.config)
    asyncio.run(serve(config, log_to_stderr(args.log_format)))
    return OK
