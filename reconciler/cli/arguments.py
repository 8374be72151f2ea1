"""Flags and small types that several verbs share."""

import argparse
from typing import Any, TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - argparse names it nowhere else


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
        default="reconciler-system",
        help="where state is kept (default: %(default)s)",
    )


def repository_flags(parser: argparse.ArgumentParser) -> None:
    """Which specs. PATH is a folder, in a Git work tree or not; its files are read as they are now."""
    parser.add_argument("path", metavar="PATH", nargs="?", default=".", help="folder with the specs (default: .)")
    parser.add_argument(
        "--paths",
        metavar="A,B",
        default=".",
        help="subfolders in overlay order, a later one is merged over an earlier one: base,env/prod",
    )
    parser.add_argument("--namespace", default="default", help="for objects that state none (default: %(default)s)")


def output_flag(parser: argparse.ArgumentParser, *formats: str) -> None:
    parser.add_argument("--output", choices=formats, default=formats[0], help="default: %(default)s")


def source_flags(parser: argparse.ArgumentParser) -> None:
    """Under which name the folder's objects are owned: the one that the daemon's configuration gives it."""
    parser.add_argument("--source", metavar="NAME", default="folder", help="name of the source (default: %(default)s)")
    parser.add_argument("--adopt", action="store_true", help="take over objects that exist and are nobody's")
