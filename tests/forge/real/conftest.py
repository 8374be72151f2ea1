"""The real Gitea of a test run. ada owns, bea may write, eve may read, the bot is ours."""

from collections.abc import Iterator

import pytest
from gitea_server import Gitea, running


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    with running(tmp_path_factory.mktemp("gitea")) as made:
        for name in ("ada", "bea", "eve", "bot"):
            made.user(name)
        yield made
