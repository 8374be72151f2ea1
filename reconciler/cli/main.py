"""`reconciler`: the verbs, their flags, and how a failure is said. Heavy imports happen inside the verbs."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from reconciler import __version__
from reconciler.cli import apply, control, demo, explain, init, plan, run, sandbox, status, validate
from reconciler.cli.exits import ERROR
from reconciler.errors import ReconcilerError


class _Parser(argparse.ArgumentParser):
    """Wrong usage is an error like others: exit code 2 is taken by "there are changes"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ERROR, f"{self.prog}: {message}\n")


_EPILOG = """exit codes: 0 done, nothing to do · 1 something is wrong · 2 there are changes (plan, diff)
first steps: `reconciler demo` shows the whole story, `reconciler init` starts a repository of your own"""


def parser() -> argparse.ArgumentParser:
    """The whole command line. Building it imports no library beside argparse."""
    root = _Parser(
        prog="reconciler",
        description="A commit comes in at one end, a converged cluster comes out at the other.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"reconciler {__version__}")
    verbs = root.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in (demo, init, validate, plan, apply, run, status, explain, control, sandbox):
        module.add(verbs)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code (see the epilog); a failure is explained on standard error."""
    args = parser().parse_args(argv)
    try:
        code: int = args.verb(args)
    except ReconcilerError as error:
        for line in error.diagnostics():
            print(line, file=sys.stderr)  # noqa: T201
        return ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `reconciler status | head`
        sys.stderr.close()
        return 0
    return code
