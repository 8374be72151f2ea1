"""The status page, served on loopback with nothing behind it, and a browser to look at it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import loopback
import pytest
import pytest_asyncio
from aiohttp import web
from chromium import Chromium, browser
from debian import program, required, shared

from reconciler.clock import SystemClock
from reconciler.daemon.page.access import Access
from reconciler.daemon.page.routes import StatusPage
from reconciler.daemon.page.view import View

Serve = Callable[..., AbstractAsyncContextManager[str]]


def _page(view: View, token_file: Path | None = None) -> AbstractAsyncContextManager[str]:
    clock = SystemClock()
    app = web.Application()
    StatusPage(view, Access(str(token_file) if token_file else None, clock), clock).add_to(app)
    return loopback.served(app)


@pytest.fixture
def served() -> Serve:
    """`async with served(view) as url`."""
    return _page


@pytest.fixture(scope="session")
def chromium_program(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The browser. Skips where there is none; a failure where a machine of CI could have installed it."""
    folder = shared(tmp_path_factory, worker_id)
    found = program("chromium", "chromium", folder) if not _headless(folder) else _headless(folder)
    return required(found)


def _headless(folder: Path) -> Path | None:
    """The small one, without windows."""
    found = program("chromium-headless-shell", "chromium-headless-shell", folder)
    return found if isinstance(found, Path) else None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(chromium_program: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    """One browser for all tests, which must run on its loop: `pytest.mark.asyncio(loop_scope="session")`."""
    async with browser(chromium_program, tmp_path_factory.mktemp("chromium")) as running:
        yield running
