"""`.reconcilerignore`: gitignore syntax, in any directory of the tree, read as Git reads `.gitignore`.

A deeper file decides before a higher one, in a file the last line that matches decides, and nothing below an ignored
directory comes back. The patterns are a stranger's and become regular expressions that can backtrack for hours, so
a pattern has at most three wildcards, and all matching of a tree may take five seconds of processor time.
"""

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from reconciler.errors import SourceRefused, SourceTooLarge

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE: Final = ".reconcilerignore"
MAX_BYTES: Final = 64 * 1024
MAX_FILES: Final = 200

_MAX_WILDCARDS: Final = 3  # with three a name of 255 letters takes 2 ms at worst, with five 9 s
_MAX_SECONDS: Final = 5.0
_WILDCARD: Final = re.compile(r"\*+")
_STRANGE_SET: Final = re.compile(r"\[[^\]]*(?:\[|--|&&|\|\||~~)")  # Python warns of these; Git reads them otherwise


class IgnoreRules:
    """Answers for one tree. `files` maps the path of each ignore file to its contents.

    Raises SourceRefused with file:line for a line that is not a pattern, SourceTooLarge for one that is too costly:
    leaving it out would apply what somebody meant to ignore.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._specs = {path.rpartition("/")[0]: (path, _parse(path, content)) for path, content in files.items()}
        self._directories: dict[str, str] = {"": ""}
        self._started = time.thread_time()  # the cost of a thread's work, not a time of day

    def ignored_by(self, path: str) -> str:
        """The path of the ignore file that leaves out the file at `path`; "" when none does."""
        if not self._specs:
            return ""
        directory = path.rpartition("/")[0]
        return self._directory(directory) or self._verdict(path, path)

    def _directory(self, directory: str) -> str:
        if directory not in self._directories:
            parent = directory.rpartition("/")[0]
            self._directories[directory] = self._directory(parent) or self._verdict(directory, directory + "/")
        return self._directories[directory]

    def _verdict(self, path: str, name: str) -> str:
        """Ask the ignore files from the deepest to the root's about `path`, spelt `name` (a directory ends in "/")."""
        if time.thread_time() - self._started > _MAX_SECONDS:
            raise SourceTooLarge(
                f"matching the patterns of {IGNORE_FILE} takes longer than {_MAX_SECONDS:g} s",
                hint="use fewer patterns, or fewer wildcards",
            )
        above = path
        while above:
            above = above.rpartition("/")[0]
            if found := self._specs.get(above):
                file, spec = found
                include = spec.check_file(name[len(above) + 1 :] if above else name).include
                if include is not None:
                    return file if include else ""
        return ""


def _parse(path: str, content: bytes) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec

    lines = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        if len(_WILDCARD.findall(line.removeprefix("!").removeprefix("**/"))) > _MAX_WILDCARDS:
            raise SourceTooLarge(
                f"the pattern has more than {_MAX_WILDCARDS} wildcards", where=f"{path}:{number}", hint="split it"
            )
        if _STRANGE_SET.search(line):
            raise SourceRefused(
                "character classes within [] are not supported", where=f"{path}:{number}", hint="list the characters"
            )
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            raise SourceRefused(f"{line!r} is not a pattern of gitignore", where=f"{path}:{number}") from None
    return GitIgnoreSpec.from_lines(lines)
