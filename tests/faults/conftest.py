"""Faults that only a real control plane can have: the shared one, and those that a test may break."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes_server import kubernetes  # noqa: F401
from own_plane import OwnPlane


@pytest.fixture
def own_plane(tmp_path: Path) -> Callable[..., OwnPlane]:
    """Makes a control plane that is the test's own: etcd and the API server, without controllers."""
    return functools.partial(OwnPlane, tmp_path)
