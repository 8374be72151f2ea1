"""Fixtures: registries and a builder of Debian's. A directory's conftest imports those that its tests use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import self_signed
from debian import program, required, shared
from registry_server import RegistryServer
from token_server import TokenServer


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """Skips where there is none; a failure where a machine of CI could have installed it."""
    required(program("docker-registry", "docker-registry", shared(tmp_path_factory, worker_id), service=True))


@pytest.fixture(scope="session")
def open_registry(docker_registry: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """One for all tests of a process: each uses repositories of its own."""
    with RegistryServer(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def own_registry(docker_registry: None, tmp_path: Path) -> Iterator[RegistryServer]:
    """One that a test may stop."""
    with RegistryServer(tmp_path / "registry") as running:
        yield running


@pytest.fixture(scope="session")
def locked_registry(docker_registry: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """One with a password."""
    with RegistryServer(tmp_path_factory.mktemp("locked"), password=True) as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    pair = self_signed(tmp_path_factory.mktemp("certificate"), "registry")
    return pair.certificate, pair.key


@pytest.fixture(scope="session")
def tls_registry(
    docker_registry: None, certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path_factory.mktemp("tls"), certificate=certificate) as running:
        yield running


@pytest.fixture
def token_registry(
    docker_registry: None, certificate: tuple[Path, Path], tmp_path: Path
) -> Iterator[tuple[RegistryServer, TokenServer]]:
    """One that asks for tokens, and who sells them."""
    with TokenServer(certificate) as tokens, RegistryServer(tmp_path / "registry", tokens=tokens) as running:
        yield running, tokens


@pytest.fixture(scope="session")
def builders(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The program busybox, which needs nothing else; skips as `docker_registry` where it or buildah is missing."""
    folder = shared(tmp_path_factory, worker_id)
    required(program("buildah", "buildah", folder))
    return required(program("busybox", "busybox-static", folder))
