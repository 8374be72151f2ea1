"""Registries: Debian's on loopback, and ones in memory that do what they are told."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from both_servers import server  # noqa: F401
from image_programs import (  # noqa: F401
    builders,
    certificate,
    docker_registry,
    locked_registry,
    open_registry,
    own_registry,
    tls_registry,
    token_registry,
)
from kubernetes_server import kubernetes  # noqa: F401
from memory_registry import MemoryRegistries, MemoryRegistry

from reconciler.clock import LoopClock, SystemClock
from reconciler.images.session import Session
from reconciler.model.image import Registries, RegistryHost


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
