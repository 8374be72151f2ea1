"""The example repository, in a checkout or in an installed package."""

import shutil
from pathlib import Path

from reconciler.errors import ConfigError

_HERE = Path(__file__).resolve().parent.parent


def example_repository() -> Path:
    """The folder examples/repo of this installation. Raises ConfigError when it was left out."""
    for candidate in (_HERE / "_examples", _HERE.parent / "examples" / "repo"):
        if candidate.is_dir():
            return candidate
    raise ConfigError("this installation has no example repository", hint="install the package anew")


def copy_example(target: Path) -> int:
    """Copy the example repository to `target`; returns the number of files."""
    shutil.copytree(example_repository(), target, dirs_exist_ok=True)
    return sum(1 for path in target.rglob("*") if path.is_file() and ".git" not in path.relative_to(target).parts)
