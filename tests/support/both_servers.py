"""One test, two servers: the sandbox in virtual time, and a real control plane in real time."""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from world import World, world

from reconciler.clock import run_virtual

Test = Callable[..., Coroutine[Any, Any, None]]


class Server(Protocol):
    """Where a test's world can be."""

    def run(self, test: Coroutine[Any, Any, None]) -> None: ...

    def world(self, *, controllers: bool = False) -> AbstractAsyncContextManager[World]: ...


class SandboxServer:
    """A new sandbox for each world."""

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        run_virtual(test)

    @asynccontextmanager
    async def world(self, *, controllers: bool = False) -> AsyncIterator[World]:
        async with world(controllers=controllers) as made:
            yield made


def on_both(test: Test | None = None, /, *, controllers: bool = False) -> Any:
    """A test whose first parameter is a World, run once on each server. Other parameters are pytest's.

    Its directory's conftest must import the fixtures `server` and `kubernetes`.
    """
    if test is None:
        return lambda decorated: on_both(decorated, controllers=controllers)

    def run(server: Server, **others: Any) -> None:
        async def scenario() -> None:
            async with server.world(controllers=controllers) as made:
                await test(made, **others)

        server.run(scenario())

    own = inspect.signature(run).parameters["server"]
    others = list(inspect.signature(test).parameters.values())[1:]
    run.__signature__ = inspect.Signature([own, *others])  # type: ignore[attr-defined]
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run


@pytest.fixture(params=["sandbox", "kubernetes"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both, in turn."""
    return SandboxServer() if request.param == "sandbox" else request.getfixturevalue("kubernetes")
