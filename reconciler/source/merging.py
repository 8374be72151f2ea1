"""What merging one revision into another gives: reviewed is what would be merged, not a branch that lags behind."""

from reconciler.errors import SourceError
from reconciler.source.history import ends, is_ancestor
from reconciler.source.process import GitFailed, GitJob, printable

_IDENTITY = ("-c", "user.name=reconciler", "-c", "user.email=reconciler@localhost")
_FILES = 10  # that are named
DEEPEN = "fetch all of it: `git fetch --unshallow`; fetch-depth: 0 on GitHub; GIT_DEPTH: 0 on GitLab"


class MergeConflict(SourceError):
    """The two cannot be merged without a person."""


def merged(git: GitJob, base: str, head: str) -> str:
    """A commit of the mirror whose tree is that of merging `head` into `base`; nothing leads to it.

    Needs both in the mirror. Raises MergeConflict, naming files; SourceError where Git is too old for it, or a shallow
    history does not tell where the two parted.
    """
    if is_ancestor(git, base, head):
        return head
    _parted(git, base, head)
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


def _parted(git: GitJob, base: str, head: str) -> None:
    """Raises SourceError where it cannot be told at which commits two revisions parted.

    In a shallow history a nearer one may lie behind an end that either reaches without passing those that are seen.
    """
    try:
        found = git.run("merge-base", "--all", base, head).decode("ascii").split()
    except GitFailed:
        found = []
    cut = ends(git)
    apart = git.run("rev-list", base, head, "--not", *found).decode("ascii").split() if cut else ()
    if lost := sorted(cut.intersection(apart)):
        why = f"the history is shallow: it ends at {', '.join(commit[:12] for commit in lost)}"
        raise SourceError("it cannot be told where the two revisions parted", why=why, hint=DEEPEN)
    if not found:
        raise SourceError("the two revisions have no commit in common", hint="are they of the same repository?")
