"""Registries: Debian's on loopback, and ones in memory that do what they are told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from both_servers import server  # noqa: F401
from certificates import self_signed
from debian import program, required, shared
from kubernetes_server import kubernetes  # noqa: F401
from memory_registry import MemoryRegistries, MemoryRegistry
from registry_server import RegistryServer
from token_server import TokenServer

from reconciler.clock import LoopClock, SystemClock
from reconciler.images.session import Session
from reconciler.model.image import Registries, RegistryHost


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


@pytest.fixture
async def session():
    """Makes a Session to real registries; keyword arguments are settings."""
    made: list[Session] = []

    def make(*hosts: RegistryHost, config_file: Path | None = None, deadline: float = 10.0) -> Session:
        settings = Registries(str(config_file) if config_file else None, (), hosts)
        made.append(Session(settings, SystemClock(), Random(7), deadline=deadline))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def world() -> MemoryRegistries:
    return MemoryRegistries()


@pytest.fixture
def shop(world: MemoryRegistries) -> MemoryRegistry:
    """The registry r.example.com of `world`."""
    return world.at("r.example.com")


@pytest.fixture
def memory_session(world: MemoryRegistries) -> Callable[..., Session]:
    """Makes a Session to the registries of `world`, for virtual time."""

    def make(*hosts: RegistryHost, config_file: Path | None = None, helpers: tuple[str, ...] = ()) -> Session:
        settings = Registries(str(config_file) if config_file else None, helpers, hosts)
        return Session(settings, LoopClock(), Random(7), connect=world.connect)

    return make


@pytest.fixture(scope="session")
def builders(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The program busybox, which needs nothing else; skips as `docker_registry` where it or buildah is missing."""
    folder = shared(tmp_path_factory, worker_id)
    required(program("buildah", "buildah", folder))
    return required(program("busybox", "busybox-static", folder))
