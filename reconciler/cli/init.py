"""`reconciler init`: a first repository that validates, to be changed into one's own."""

import argparse

from reconciler.cli.arguments import Verbs
from reconciler.cli.exits import OK

_NEXT = """wrote {count} files to {path}: a small shop; {path}/README.md is a tutorial
next:
  cd {path}
  reconciler validate . --paths base,env/prod
  reconciler plan . --paths base,env/prod --offline
  git init, add and commit them, and name the repository in the daemon's configuration"""


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("init", help="start a repository of specs", description=__doc__)
    parser.add_argument("path", metavar="PATH", help="a folder that is empty or does not exist yet")
    parser.set_defaults(verb=init)


def init(args: argparse.Namespace) -> int:
    from pathlib import Path

    from reconciler.cli.examples import copy_example
    from reconciler.cli.show import out
    from reconciler.errors import ConfigError

    target = Path(args.path)
    if target.is_file():
        raise ConfigError(f"{args.path} is a file", hint="name a new folder")
    if target.exists() and any(entry.name != ".git" for entry in target.iterdir()):
        raise ConfigError(f"{args.path} is not empty", hint="nothing is overwritten: name a new folder")
    count = copy_example(target)
    out(_NEXT.format(count=count, path=args.path))
    return OK
