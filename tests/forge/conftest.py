from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from memory_forge import MemoryForge

from reconciler.clock import LoopClock
from reconciler.forge.forge import Forge
from reconciler.forge.open import open_forge
from reconciler.model.forging import ForgeKind

Client = Callable[[], Forge]


@pytest.fixture(params=list(ForgeKind))
def forge(request: pytest.FixtureRequest) -> MemoryForge:
    """One of each kind, with a repository."""
    made = MemoryForge.of(request.param)
    made.repository("shop/specs")
    return made


@pytest.fixture
def client(forge: MemoryForge, tmp_path: Path) -> Client:
    """To be called within the loop."""
    return lambda: open_forge(forge.config(tmp_path), forge.connect, LoopClock(), Random(7))
