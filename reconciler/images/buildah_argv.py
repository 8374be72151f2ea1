"""Buildah's command lines and files, the same on the daemon's host and in a Job. Pure but for `prepare`.

    WORK/context, WORK/Containerfile    what is built
    WORK/storage, WORK/run              Buildah's own store: one for each build, gone with it
    WORK/registries.conf, policy.json   so that nothing of the machine's configuration plays a part
    WORK/auth.json, certs/              credentials and authorities for the bases' registries, where there are any

`--isolation chroot` and `--storage-driver vfs` need no kernel feature that a container lacks. `--timestamp 0`, no
identity label and a store without earlier layers make the same inputs the same digest, whenever they are built.
"""

import json
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Final

from reconciler.images.builder import Work
from reconciler.images.context import CONTAINERFILE, CONTEXT

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAME: Final = "localhost/build"  # of the result in Buildah's own store
_POLICY: Final = {"default": [{"type": "insecureAcceptAnything"}]}  # digests are pinned; signatures are checked by us


class Places:
    """Paths below the work folder of one build."""

    def __init__(self, work: Path | PurePosixPath) -> None:
        self.work = work
        self.context = work / CONTEXT
        self.containerfile = work / CONTAINERFILE
        self.layout = work / "layout"
        self.ignore = work / "ignore"
        self.policy = work / "policy.json"
        self.registries = work / "registries.conf"
        self.auth = work / "auth.json"
        self.certificates = work / "certs"


def prepare(work: Path, plain: Collection[str]) -> None:
    """Write Buildah's configuration into `work`. `plain` are the registries that are spoken to without TLS."""
    places = Places(work)
    lines = ['unqualified-search-registries = ["docker.io"]', 'short-name-mode = "disabled"']
    for registry in sorted(plain):
        lines += ["[[registry]]", f"location = {json.dumps(registry)}", "insecure = true"]
    Path(places.registries).write_text("\n".join((*lines, "")), encoding="ascii")
    Path(places.policy).write_text(json.dumps(_POLICY), encoding="ascii")
    Path(places.ignore).write_text("", encoding="ascii")  # what is ignored is not in the context any more
    (work / "tmp").mkdir(exist_ok=True)
    (work / "home").mkdir(exist_ok=True)


def environment(work: Path | PurePosixPath, path: str) -> dict[str, str]:
    """All that Buildah sees of the environment."""
    return {
        "PATH": path,
        "HOME": str(work / "home"),
        "TMPDIR": str(work / "tmp"),
        "XDG_RUNTIME_DIR": str(work / "run"),
        "BUILDAH_ISOLATION": "chroot",
        "CONTAINERS_STORAGE_CONF": "/dev/null",
        "LC_ALL": "C.UTF-8",
    }


def build(work: Work, places: Places, *, auth: bool = False, certificates: bool = False) -> list[str]:
    """`buildah build` of one image, or of one for each platform."""
    stated = work.inputs.build
    options = [
        "--isolation=chroot",
        "--format=oci",
        "--timestamp=0",
        "--identity-label=false",
        "--layers=false",
        "--no-cache",
        "--pull=true",
        f"--ignorefile={places.ignore}",
        f"--signature-policy={places.policy}",
        f"--file={places.containerfile}",
    ]
    options += _trust(places, auth, certificates)
    options += [f"--build-arg={name}={value}" for name, value in sorted(stated.args.items())]
    options += [f"--target={stated.target}"] if stated.target else []
    options += [f"--platform={','.join(platforms(work))}"] if stated.platforms else []
    options += [f"--manifest={NAME}" if several(work) else f"--tag={NAME}"]
    return [*_program(places), "build", *options, "--", str(places.context)]


def push_to_layout(work: Work, places: Places) -> list[str]:
    """Write the result as an OCI layout, from where our own client pushes it."""
    return [*_program(places), *_push(work, places), NAME, f"oci:{places.layout}:build"]


def push_to_registry(work: Work, places: Places, *, auth: bool = False, certificates: bool = False) -> list[str]:
    """Push the result itself, as a Job does."""
    return [
        *_program(places),
        *_push(work, places),
        *_trust(places, auth, certificates),
        NAME,
        f"docker://{work.target}",
    ]


def platforms(work: Work) -> list[str]:
    return sorted(set(work.inputs.build.platforms))


def several(work: Work) -> bool:
    """Whether the result is an index."""
    return len(platforms(work)) > 1


def _program(places: Places) -> list[str]:
    return [
        "buildah",
        f"--root={places.work}/storage",
        f"--runroot={places.work}/run",
        "--storage-driver=vfs",
        f"--registries-conf={places.registries}",
    ]


def _push(work: Work, places: Places) -> list[str]:
    words = ["manifest", "push", "--all"] if several(work) else ["push"]
    return [*words, "--format=oci", "--quiet", f"--signature-policy={places.policy}"]


def _trust(places: Places, auth: bool, certificates: bool) -> list[str]:
    found = [f"--authfile={places.auth}"] if auth else []
    return found + ([f"--cert-dir={places.certificates}"] if certificates else [])
