"""What merging one revision into another gives: reviewed is what would be merged, not a branch that lags behind."""

from reconciler.errors import SourceError
from reconciler.source.history import is_ancestor
from reconciler.source.process import GitFailed, GitJob, printable

_IDENTITY = ("-c", "user.name=reconciler", "-c", "user.email=reconciler@localhost")
_FILES = 10  # that are named


class MergeConflict(SourceError):
    """The two cannot be merged without a person."""


def merged(git: GitJob, base: str, head: str) -> str:
    """A commit of the mirror whose tree is that of merging `head` into `base`; nothing leads to it.

    Needs both in the mirror. Raises MergeConflict, naming files; SourceError where Git is too old for it.
    """
    if is_ancestor(git, base, head):
        return head
    try:
        tree = git.run("merge-tree", "--write-tree", "--name-only", "--no-messages", base, head)
    except GitFailed as error:
        if files := [printable(line) for line in error.output.decode("utf-8", "replace").splitlines()[1:] if line]:
            shown = ", ".join(files[:_FILES]) + (f" and {len(files) - _FILES} more" if files[_FILES:] else "")
            hint = "merge the base into the branch, and solve them there"
            raise MergeConflict("the two revisions conflict", why=f"in {shown}", hint=hint) from None
        hint = "reviewing a branch that lags behind its base needs Git 2.38 or newer"
        raise SourceError("the merge could not be tried", why=error.why, hint=hint) from None
    made = git.run(*_IDENTITY, "commit-tree", tree.decode("ascii").strip(), "-p", base, "-p", head, "-m", "merge")
    return made.decode("ascii").strip()
