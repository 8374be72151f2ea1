"""`reconciler sandbox`: an embedded Kubernetes-compatible cluster, with nodes that pretend to run pods."""

import argparse
import os.path

from reconciler.cli.arguments import Verbs, count, port
from reconciler.cli.exits import OK


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("sandbox", help="an embedded cluster to try things on", description=__doc__)
    parser.add_argument("--port", metavar="N", type=port, default=0, help="on loopback (default: a free one)")
    parser.add_argument(
        "--kubeconfig", metavar="FILE", type=os.path.abspath, help="write the kubeconfig there instead of printing it"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--nodes", metavar="N", type=count, default=3, help="that run pods (default: %(default)s)")
    what.add_argument("--bare", dest="nodes", action="store_const", const=None, help="the API server alone")
    parser.set_defaults(verb=sandbox)


def sandbox(args: argparse.Namespace) -> int:
    import asyncio

    return asyncio.run(_sandbox(args))


async def _sandbox(args: argparse.Namespace) -> int:
    import asyncio
    import signal
    import sys
    from contextlib import AsyncExitStack
    from pathlib import Path

    from reconciler.cli.embedded import embedded
    from reconciler.cli.show import out
    from reconciler.sandbox.kubeconfig import kubeconfig, write_kubeconfig

    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(embedded(port=args.port, nodes=args.nodes))
        if args.kubeconfig:
            write_kubeconfig(Path(args.kubeconfig), url)
            out(f"serving {url}\nuse it: export KUBECONFIG={args.kubeconfig}\nctrl-c ends it; nothing is kept")
        else:
            out(f"# serving {url}; ctrl-c ends it, nothing is kept. Save this as a kubeconfig:\n{kubeconfig(url)}")
        sys.stdout.flush()
        await stop.wait()
    return OK
