"""Find the control plane's programs, compile them where they are missing: python tests/controlplane/build.py

The binary lies outside the clone, in the user's cache, under a hash of all that it is made of. Compiling takes about
7 minutes on two cores, once. Instead of it, KUBEBUILDER_ASSETS may name a folder with upstream's own programs.
"""

# ruff: noqa: T201 - a command prints

import os
import re
import sys
from pathlib import Path
from typing import Final, NoReturn

from go_program import GoProgram, Missing, which

HERE: Final = Path(__file__).parent
PARTS: Final = ("etcd", "apiserver", "controller-manager", "scheduler")


Commands = dict[str, tuple[str, ...]]
"""How each part is started."""


def find() -> Commands:
    """The commands, where they are there already. Raises Missing."""
    if folder := os.environ.get("KUBEBUILDER_ASSETS"):
        return _upstream(Path(folder))
    if (binary := _program().find()) is None:
        raise Missing("the control plane is not compiled: run `python tests/controlplane/build.py` (7 minutes, once)")
    return _ours(binary)


def build() -> Commands:
    """The commands, compiled where they are missing. Raises Missing without a compiler, or when it fails."""
    if folder := os.environ.get("KUBEBUILDER_ASSETS"):
        return _upstream(Path(folder))
    return _ours(_program().build())


def required() -> bool:
    """Whether a run without a control plane is a failure rather than a shorter run."""
    return os.environ.get("CI") == "true" and ("KUBEBUILDER_ASSETS" in os.environ or which() is not None)


def _upstream(folder: Path) -> Commands:
    files = {part: folder / (part if part == "etcd" else f"kube-{part}") for part in PARTS}
    if missing := [file.name for file in files.values() if not os.access(file, os.X_OK)]:
        raise Missing(f"KUBEBUILDER_ASSETS={folder} lacks {', '.join(missing)}")
    return {part: (str(file),) for part, file in files.items()}


def _ours(binary: Path) -> Commands:
    return {part: (str(binary), part) for part in PARTS}


def _program() -> GoProgram:
    plain = GoProgram(HERE, "controlplane", "", 7)
    release = plain.release("k8s.io/kubernetes")
    _v, major, minor, _patch = re.split(r"\D", release)
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": release, "gitMajor": major, "gitMinor": minor}
    linker = " ".join(["-s", "-w", *(f"-X {package}.{key}={value}" for key, value in stamps.items())])
    return plain._replace(what=f"Kubernetes {release}", flags=("-ldflags", linker))


def main() -> NoReturn:
    try:
        build()
    except Missing as missing:
        failed = required()
        what = "failed" if failed else "the tests on a real Kubernetes control plane will be skipped"
        print(f"{what}: {missing}", file=sys.stderr)
        sys.exit(1 if failed else 0)
    sys.exit(0)


if __name__ == "__main__":
    main()
