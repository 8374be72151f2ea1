"""`.reconcilerignore`: gitignore syntax, in any directory of the tree, read as Git reads `.gitignore`.

A deeper file decides before a higher one, in a file the last line that matches decides, and nothing below an ignored
directory comes back. pathspec turns a line into a regular expression; what it is asked, and in which order, is here.

The patterns are a stranger's and their regular expressions can backtrack for hours. So a pattern has at most three
wildcards (two of them `**`), and all matching of a tree may take five seconds of processor time.
"""

import re
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from reconciler.errors import SourceRefused, SourceTooLarge

IGNORE_FILE: Final = ".reconcilerignore"
MAX_BYTES: Final = 64 * 1024
MAX_FILES: Final = 200

_MAX_WILDCARDS: Final = 3  # with three a name of 255 letters takes 2 ms at worst, with five 9 s
_MAX_DEEP: Final = 2
_MAX_SECONDS: Final = 5.0
_DEEP: Final = re.compile(r"(?:^|(?<=/))\*\*(?=/|$)")
_STRANGE_SET: Final = re.compile(r"\[[^\]]*(?:\[|--|&&|\|\||~~)")  # Python warns of these; Git reads them otherwise


class _Pattern(NamedTuple):
    regex: re.Pattern[str]
    ignores: bool  # False for a line that begins with "!"
    directories_only: bool

    def matches(self, path: str, *, directory: bool) -> bool:
        """Whether it matches `path` itself. That it matches something above does not count: that was asked before."""
        if self.directories_only and not directory:
            return False
        # Expressions without a group are those of `x/**` and `*`: they match a beginning, and mean all that follows.
        found = self.regex.fullmatch(path) or (not self.regex.groups and self.regex.match(path))
        return found is not None and found is not False


class IgnoreRules:
    """Answers for one tree. `files` maps the path of each ignore file to its contents.

    Raises SourceRefused with file:line for a line that is not a pattern, SourceTooLarge for one that is too costly:
    leaving it out would apply what somebody meant to ignore.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._rules = {path.rpartition("/")[0]: (path, _parse(path, content)) for path, content in files.items()}
        self._directories: dict[str, str] = {"": ""}
        self._started = time.thread_time()  # the cost of a thread's work, not a time of day

    def ignored_by(self, path: str) -> str:
        """The path of the ignore file that leaves out the file at `path`; "" when none does."""
        if not self._rules:
            return ""
        return self._directory(path.rpartition("/")[0]) or self._verdict(path, directory=False)

    def _directory(self, path: str) -> str:
        if path not in self._directories:
            above = self._directory(path.rpartition("/")[0])
            self._directories[path] = above or self._verdict(path, directory=True)
        return self._directories[path]

    def _verdict(self, path: str, *, directory: bool) -> str:
        """Ask the ignore files about `path`, the deepest first, each from its last line."""
        if time.thread_time() - self._started > _MAX_SECONDS:
            raise SourceTooLarge(
                f"matching the patterns of {IGNORE_FILE} takes longer than {_MAX_SECONDS:g} s",
                hint="use fewer patterns, or fewer wildcards",
            )
        above = path
        while above:
            above = above.rpartition("/")[0]
            file, patterns = self._rules.get(above, ("", ()))
            below = path[len(above) + 1 :] if above else path
            for pattern in patterns:
                if pattern.matches(below, directory=directory):
                    return file if pattern.ignores else ""
        return ""


def _parse(path: str, content: bytes) -> tuple[_Pattern, ...]:
    """The patterns of one file, the last line first."""
    lines = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
    parsed = (_pattern(line, f"{path}:{number}") for number, line in enumerate(lines, start=1))
    return tuple(pattern for pattern in parsed if pattern is not None)[::-1]


def _pattern(line: str, where: str) -> _Pattern | None:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    if line.startswith("#") or not line.strip():
        return None
    bare = line.rstrip()
    text = line if bare.endswith("\\") else bare.removesuffix("/")  # a backslash keeps the space after it
    plain, deep = _DEEP.subn("", text)
    if deep > _MAX_DEEP or deep + plain.count("*") > _MAX_WILDCARDS:
        raise SourceTooLarge(
            f"the pattern has more than {_MAX_WILDCARDS} wildcards, or {_MAX_DEEP} of **", where=where, hint="split it"
        )
    if _STRANGE_SET.search(text):
        raise SourceRefused("classes within [] are not supported", where=where, hint="list the characters")
    try:
        parsed = GitIgnoreSpecPattern(text)
    except ValueError:
        raise SourceRefused(f"{line!r} is not a pattern of gitignore", where=where) from None
    if parsed.regex is None or parsed.include is None:
        return None
    return _Pattern(parsed.regex, parsed.include, bare.endswith("/"))
