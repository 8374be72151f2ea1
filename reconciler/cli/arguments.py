"""Flags and small types that several verbs share."""

import argparse
import re
from typing import Any, TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - argparse names it nowhere else


def name(text: str) -> str:
    """The type of a flag that names a source or a namespace. Kubernetes' rule for both."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: lower-case letters, digits and - only, 63 at most")
    return text


def paths(text: str) -> tuple[str, ...]:
    """The type of --paths."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise argparse.ArgumentTypeError('name at least one folder, "." for all')
    return found


def port(text: str) -> int:
    """The type of --port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535, or 0 for a free one")
    return int(text)


def seconds(text: str) -> float:
    """The type of a flag that takes seconds or a duration such as 5m."""
    from reconciler.model.duration import seconds as of_duration

    try:
        return float(text) if text.replace(".", "", 1).isdecimal() else float(of_duration(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: seconds, or a duration such as 5m") from None


def count(text: str) -> int:
    """The type of a count that may be none."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return int(text)


def at_least_one(text: str) -> int:
    """The type of a count of something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def cluster_flags(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and where in it the product keeps its state."""
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, ~/.kube/config, or the pod's own account"
    )
    group.add_argument("--context", metavar="NAME", help="default: the kubeconfig's current context")
    group.add_argument(
        "--state-namespace",
        metavar="NAME",
        type=name,
        default="reconciler-system",
        help="where state is kept (default: %(default)s)",
    )


def repository_flags(parser: argparse.ArgumentParser) -> None:
    """Which specs. PATH is a folder, in a Git work tree or not; its files are read as they are now."""
    parser.add_argument("path", metavar="PATH", nargs="?", default=".", help="folder with the specs (default: .)")
    paths_flag(parser)
    parser.add_argument(
        "--namespace", metavar="NAME", type=name, default="default", help="where none is stated (default: %(default)s)"
    )


def paths_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--paths",
        metavar="A,B",
        type=paths,
        default=(".",),
        help="subfolders, each merged over the one before: base,env/prod (default: all as one)",
    )


def output_flag(parser: argparse.ArgumentParser, *formats: str) -> None:
    choices = f"{', '.join(formats[:-1])} or {formats[-1]}"
    parser.add_argument(
        "--output", metavar="FORMAT", choices=formats, default=formats[0], help=f"{choices} (default: %(default)s)"
    )


def images_flag(parser: argparse.ArgumentParser, *, plans: bool = False) -> None:
    """Who is asked what Images mean, and with `plans` how what specs leave open is decided."""
    what = "look images up, and plan what is left open," if plans else "look images up"
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"{what} as a daemon with this configuration (default: lock files and what runs say)",
    )


def png_flag(parser: argparse.ArgumentParser) -> None:
    """A picture of the nodes."""
    parser.add_argument("--png", metavar="FILE", help="draw how full each node is, now and as planned (needs Pillow)")


def source_flags(parser: argparse.ArgumentParser) -> None:
    """Under which name the folder's objects are owned: the one that the daemon's configuration gives it."""
    parser.add_argument(
        "--source", metavar="NAME", type=name, help="the source that owns the objects (default: the folder's name)"
    )
    parser.add_argument("--adopt", action="store_true", help="take over objects that exist and are nobody's")
