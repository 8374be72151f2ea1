"""`reconciler demo`: the whole story on an embedded cluster, over a real HTTP API. Nothing outside a temporary folder
is touched, and nothing is left running unless you ask for it."""

import argparse

from reconciler.cli.arguments import Verbs, port


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("demo", help="the whole story in ten seconds", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="go on until ctrl-c, to look around with kubectl")
    parser.add_argument("--port", metavar="N", type=port, default=0, help="of the API server (default: a free one)")
    parser.set_defaults(verb=demo)


def demo(args: argparse.Namespace) -> int:
    import asyncio
    import shutil

    from reconciler.cli.exits import INTERRUPTED
    from reconciler.errors import ConfigError

    if shutil.which("git") is None:
        raise ConfigError("git is not on the PATH", hint="the demo commits to a repository: install git first")

    from reconciler.cli.story import tell

    try:
        return asyncio.run(tell(keep=args.keep, port=args.port))
    except asyncio.CancelledError:  # SIGTERM
        return INTERRUPTED
