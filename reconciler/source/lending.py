"""A work tree that has commits of a mirror and nothing else: for a process that is to know neither the mirror's server
nor how to get there.
"""

from collections.abc import Sequence
from pathlib import Path


def lend(mirror: Path, folder: Path, commits: Sequence[str]) -> Path:
    """Make the empty `folder` a Git repository with `commits` as branches. Their objects stay in `mirror`: the folder
    that is returned.

    Written by hand rather than by `git init`, which reads templates and configuration of the machine.
    """
    git = folder / ".git"
    for part in ("objects/info", "refs/heads/lent"):
        (git / part).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/none\n")
    (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    objects = mirror.absolute() / "objects"
    (git / "objects/info/alternates").write_text(f"{objects}\n")
    for number, commit in enumerate(commits):
        (git / f"refs/heads/lent/{number}").write_text(f"{commit}\n")
    return objects
