"""Which commit a source's ref means now: one `ls-remote`, nothing downloaded.

A name is looked for as a branch first, then as a tag; `refs/…` is taken as it stands; `semver:<range>` is the tag of
the highest version in the range; `HEAD` is the server's default branch; 40 hexadecimal digits are that commit, and
nobody need be asked.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from reconciler.errors import SourceMissing, SourceRefused
from reconciler.semver import Range
from reconciler.source.address import check_ref, is_commit
from reconciler.source.faults import explain
from reconciler.source.process import GitFailed, GitJob

SEMVER: Final = "semver:"
_MAX_ADVERTISED: Final = 64 * 1024 * 1024
_PEELED: Final = "^{}"


class Target(NamedTuple):
    """What to fetch: `name` is a full ref, or the commit itself; `commit` what it pointed to (tags peeled)."""

    name: str
    commit: str


class Ref(NamedTuple):
    """A configured ref that was checked: a name, or a range."""

    text: str
    range: Range | None = None

    @classmethod
    def parse(cls, text: str, where: str = "") -> "Ref":
        """Raises SourceRefused."""
        if not text.startswith(SEMVER):
            return cls(check_ref(text, where))
        try:
            return cls(text, Range.parse(text.removeprefix(SEMVER)))
        except ValueError as error:
            raise SourceRefused(
                f"{text!r} is not a range of versions", where=where, why=str(error), hint="for example semver:>=1.2 <2"
            ) from None


def find(git: GitJob, url: str, ref: Ref) -> Target:
    """What `ref` means at `url` now. Raises SourceMissing, SourceUnreachable and their kin."""
    if is_commit(ref.text):
        return Target(ref.text, ref.text)
    if ref.range is not None:
        return _highest(advertised(git, url, "--tags"), ref.range)
    names = _candidates(ref.text)
    kinds = ("--heads", "--tags") if len(names) > 1 else ()
    found = advertised(git, url, *kinds, patterns=[part for name in names for part in (name, name + _PEELED)])
    for name in names:
        if name in found:
            return Target(name, found.get(name + _PEELED, found[name]))
    raise _missing(git, url, ref.text)


def advertised(git: GitJob, url: str, *kinds: str, patterns: Sequence[str] = ()) -> dict[str, str]:
    """The server's refs with the ids they point to; tags also peeled, as `name^{}`.

    `kinds` ("--heads", "--tags") keep the server from sending the rest (a forge has a ref for every pull request);
    `patterns` only filter what came.
    """
    try:
        output = git.run("ls-remote", "--quiet", *kinds, "--", url, *patterns, limit=_MAX_ADVERTISED)
    except GitFailed as error:
        raise explain(error) from None
    lines = (line.split("\t", 1) for line in output.decode("utf-8", "replace").splitlines())
    return {line[1]: line[0] for line in lines if len(line) == 2}


def _candidates(text: str) -> tuple[str, ...]:
    if text == "HEAD" or text.startswith("refs/"):
        return (text,)
    return f"refs/heads/{text}", f"refs/tags/{text}"


def _highest(refs: Mapping[str, str], wanted: Range) -> Target:
    prefix = "refs/tags/"
    tags = [name.removeprefix(prefix) for name in refs if name.startswith(prefix) and not name.endswith(_PEELED)]
    best = wanted.highest(tags)
    if best is None:
        raise SourceMissing(
            f"no tag is a version in the range {wanted.text!r}",
            why=f"the repository has {len(tags)} tags",
            hint="versions are tags of three numbers, such as v1.2.3",
        )
    name = prefix + best
    return Target(name, refs.get(name + _PEELED, refs[name]))


def _missing(git: GitJob, url: str, text: str) -> SourceMissing:
    """Say which it is: an empty repository, or one without that name, and which name is near."""
    refs = advertised(git, url, "--heads", "--tags")
    names = sorted({name.split("/", 2)[2] for name in refs if not name.endswith(_PEELED)})
    if not names:
        return SourceMissing(
            "the repository is empty: it has no commit",
            hint=f"push a commit to {text!r}; if it has one, is the URL right?",
        )
    near = difflib.get_close_matches(text, names[:5000], n=1)
    branches = [name.removeprefix("refs/heads/") for name in refs if name.startswith("refs/heads/")]
    guess = near or (branches if len(branches) == 1 else [])
    return SourceMissing(
        f"the repository has no branch or tag {text!r}",
        hint=f"is it {guess[0]!r}?" if guess else "it may have been deleted or renamed",
    )
