"""`reconciler run`: the daemon."""

import argparse

from reconciler.cli.arguments import Verbs
from reconciler.cli.exits import OK


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("run", help="the daemon: keep the cluster as Git says", description=__doc__)
    parser.add_argument("--config", metavar="FILE", default="/etc/reconciler/config.yaml", help="default: %(default)s")
    parser.add_argument(
        "--log-format", metavar="FORMAT", choices=("text", "json"), default="text", help="text or json (default: text)"
    )
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    import asyncio
    import logging
    from pathlib import Path

    from reconciler.cli.collector import collect_seldom
    from reconciler.daemon.log import LogLine, log_to_stderr, messages_to_stderr
    from reconciler.daemon.serve import serve
    from reconciler.errors import ConfigError
    from reconciler.specs.config import read_config

    if not Path(args.config).exists():
        hint = "--config names another file; docs/configuration.md has a whole one"
        raise ConfigError("there is no configuration here", where=args.config, hint=hint)
    config = read_config(args.config)
    collect_seldom()
    handler = logging.StreamHandler()
    handler.setFormatter(LogLine(args.log_format))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    asyncio.run(serve(config, log_to_stderr(args.log_format), write=messages_to_stderr(args.log_format)))
    return OK
