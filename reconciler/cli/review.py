"""`reconciler review`: reviews pull requests of the forges in the configuration. The cluster is only read."""

import argparse

from reconciler.cli.arguments import Verbs
from reconciler.cli.exits import OK


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("review", help="say under pull requests what merging would do", description=__doc__)
    parser.add_argument("--config", metavar="FILE", default="/etc/reconciler/config.yaml", help="default: %(default)s")
    parser.set_defaults(verb=review)


def review(args: argparse.Namespace) -> int:
    import asyncio
    import logging

    from reconciler.daemon.reviews.serve import serve_reviews
    from reconciler.specs.config import read_config

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    asyncio.run(serve_reviews(read_config(args.config)))
    return OK
