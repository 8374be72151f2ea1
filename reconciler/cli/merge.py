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
    group.add_argument("--out", metavar="FILE", help="save the plan: `reconciler apply --plan FILE` makes it so")


def asked(args: argparse.Namespace) -> bool:
    """Whether a merge is meant: also where a script's variable is empty, which is a mistake and no other question."""
    return any(flag is not None for flag in (args.base, args.head, args.out))


def show(args: argparse.Namespace) -> int:
    """Exit code 0: it does nothing, 2: it does something, 1: it is blocked, invalid or cannot be merged."""
    import asyncio

    from reconciler.errors import ConfigError

    if not args.base:
        flag = "--head" if args.head is not None else "--out"
        what = f"{flag} without --base" if args.base is None else "--base names nothing"
        raise ConfigError(what, hint="name what it is merged into: --base main")
    return asyncio.run(_show(args))


async def _show(args: argparse.Namespace) -> int:
    """A number only: asyncio writes down the whole of what comes out of its run, to forget it."""
    from reconciler.cli.reviewing import opened
    from reconciler.cli.show import hint, out
    from reconciler.model.review import Verdict

    async with opened(args) as reviewing:
        review = await reviewing.review()
        if args.out is not None:
            from reconciler.cli import saved

            plan = await saved.write(args, reviewing, review)
            hint(f"plan {plan.id[:12]} is in {args.out}; `reconciler apply --plan {args.out}` makes it so")
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
