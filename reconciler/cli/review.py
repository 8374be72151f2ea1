"""`reconciler review`: reviews pull requests of the forges in the configuration. The cluster is only read."""

import argparse
from typing import TYPE_CHECKING

from reconciler.cli.arguments import Verbs
from reconciler.cli.exits import OK

if TYPE_CHECKING:
    from reconciler.cluster.cluster import Cluster
    from reconciler.cluster.state import StateStore
    from reconciler.model.config import SourceConfig
    from reconciler.source.repository import GitSource


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("review", help="say under pull requests what merging would do", description=__doc__)
    parser.add_argument("--config", metavar="FILE", default="/etc/reconciler/config.yaml", help="default: %(default)s")
    parser.set_defaults(verb=review)


def review(args: argparse.Namespace) -> int:
    import asyncio
    import logging
    from functools import partial

    from reconciler.cli.imaged import FolderLook
    from reconciler.daemon.reviews.serve import serve_reviews
    from reconciler.engine.images import Images
    from reconciler.engine.running import running_images
    from reconciler.specs.config import read_config

    def images(source: "SourceConfig", git: "GitSource", cluster: "Cluster", store: "StateStore") -> Images:
        """By lock files and what runs: no registry is asked."""
        return FolderLook(argparse.Namespace(), git, partial(running_images, cluster, store, source))

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    asyncio.run(serve_reviews(read_config(args.config), open_images=images))
    return OK
