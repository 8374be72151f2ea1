"""`reconciler`: the verbs, their flags, and how a failure is said. Heavy imports happen inside the verbs."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from reconciler import __version__
from reconciler.cli import (
    apply,
    control,
    demo,
    drift,
    explain,
    image,
    init,
    plan,
    review,
    run,
    sandbox,
    simulate,
    status,
    task,
    validate,
)
from reconciler.cli.exits import CLOSED, ERROR, INTERRUPTED
from reconciler.errors import ReconcilerError


class _Parser(argparse.ArgumentParser):
    """Wrong usage is an error like others: exit code 2 is taken by "there are changes".

    A flag is not abbreviated, so that a script does not break when another flag with its beginning comes.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        self.exit(ERROR, f"{self.prog}: {message}\n  hint: `{self.prog} --help` shows what there is\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = list(map(str, action.choices))
            raise argparse.ArgumentError(action, f"there is no {value!r}{_meant(str(value), choices)}")

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Flags or arguments that this verb does not take."""
        if words[0].startswith("-"):
            flags = [flag for action in self._actions for flag in action.option_strings]
            self.error(f"there is no flag {words[0]}{_meant(words[0].partition('=')[0], flags)}")
        self.error(f"{words[0]!r} is one argument too many")


def _meant(word: str, choices: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, choices, 1)
    return f", did you mean {close[0]}?" if close else f", only {', '.join(choices)}" if len(choices) <= 5 else ""


_EPILOG = """exit codes: 0 done, nothing to do · 1 something is wrong · 2 see `reconciler VERB --help`
first steps: `reconciler demo` shows the whole story, `reconciler init` starts a repository of your own"""


def parser() -> _Parser:
    """The whole command line. Building it imports no library beside argparse."""
    root = _Parser(
        prog="reconciler",
        description="A commit comes in at one end, a converged cluster comes out at the other.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"reconciler {__version__}")
    verbs = root.add_subparsers(title="verbs", metavar="VERB", required=False)
    for module in (
        demo,
        init,
        validate,
        plan,
        apply,
        run,
        review,
        status,
        drift,
        explain,
        control,
        task,
        image,
        simulate,
        sandbox,
    ):
        module.add(verbs)
    for each in (root, *verbs.choices.values()):
        each.set_defaults(refuse=each.refuse)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code (see the epilog); a failure is explained on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ gets a ?, not a traceback
    root = parser()
    args, unknown = root.parse_known_args(argv)
    if unknown:
        args.refuse(unknown)
    if "verb" not in args:
        root.print_help(sys.stderr)
        return ERROR
    try:
        code: int = args.verb(args)
        sys.stdout.flush()
    except ReconcilerError as error:
        for line in error.diagnostics():
            print(line, file=sys.stderr)  # noqa: T201
        return ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `reconciler status | head`: nobody reads on, and there is nobody to tell
        _discard()
        return CLOSED
    except OSError as error:  # a file that cannot be written, a full disk, a port that is taken
        print(f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}", file=sys.stderr)  # noqa: T201
        try:
            sys.stdout.flush()
        except OSError:
            _discard()
        return ERROR
    return code


def _discard() -> None:
    """What standard output does not take goes nowhere: the interpreter would try, and complain, at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
