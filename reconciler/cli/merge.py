"""`reconciler plan --base REV --head REV`: what merging one revision into another would do, dangers first."""

import argparse
from typing import TYPE_CHECKING

from reconciler.cli.exits import CHANGES, ERROR, OK

if TYPE_CHECKING:
    from reconciler.review.review import Review


def flags(parser: argparse.ArgumentParser) -> None:
    """Of `plan`."""
    group = parser.add_argument_group("a merge")
    group.add_argument("--base", metavar="REV", help="what is merged into: a branch, a tag or a commit")
    group.add_argument("--head", metavar="REV", help="what is merged (default: HEAD of the work tree)")


def show(args: argparse.Namespace) -> int:
    """Exit code 0: it does nothing, 2: it does something, 1: it is blocked, invalid or cannot be merged."""
    import asyncio

    from reconciler.cli.show import out
    from reconciler.errors import ConfigError
    from reconciler.model.review import Verdict

    if not args.base:
        raise ConfigError("--head without --base", hint="name what it is merged into: --base main")
    review = asyncio.run(_review(args))
    out(_rendered(review, args.output).rstrip("\n"))
    if review.verdict in (Verdict.BLOCK, Verdict.INVALID):
        return ERROR
    return CHANGES if review.effects.merged else OK


def _rendered(review: "Review", output: str) -> str:
    import os
    import sys

    from reconciler.review.views import json, markdown, sarif, text

    match output:
        case "markdown":
            return markdown.render(review)
        case "json":
            return json.render(review)
        case "sarif":
            return sarif.render(review)
    return text.render(review, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


async def _review(args: argparse.Namespace) -> "Review":
    from reconciler.cli.reviewing import opened

    async with opened(args) as reviewing:
        return await reviewing.review()
