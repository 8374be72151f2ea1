"""`reconciler init`: a first repository that validates, to be changed into one's own."""

import argparse

from reconciler.cli.arguments import Verbs
from reconciler.cli.exits import OK

_NEXT = """wrote {count} files to {path}
next:
  reconciler validate {path} --paths base,env/prod
  reconciler plan {path} --paths base,env/prod --offline
  git add and commit them, and name the repository in the daemon's configuration (docs/configuration.md)"""


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("init", help="start a repository of specs", description=__doc__)
    parser.add_argument("path", metavar="PATH", help="a folder that is empty or does not exist yet")
    parser.set_defaults(verb=init)


def init(args: argparse.Namespace) -> int:
    from pathlib import Path

    from reconciler.cli.examples import copy_example
    from reconciler.errors import ConfigError

    target = Path(args.path)
    if target.exists() and (not target.is_dir() or any(entry.name != ".git" for entry in target.iterdir())):
        raise ConfigError(f"{args.path} is not empty", hint="nothing is overwritten: name a new folder")
    count = copy_example(target)
    print(_NEXT.format(count=count, path=args.path))  # noqa: T201
    return OK
