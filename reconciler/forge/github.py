"""GitHub's REST API, version 2022-11-28. https://docs.github.com/rest

GitHub itself has it at api.github.com, GitHub Enterprise Server at /api/v3 of its own host.
"""

from collections.abc import AsyncIterator
from random import Random
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from reconciler.clock import Clock
from reconciler.forge.forge import Pull
from reconciler.forge.repos import FoundPull, ReposForge, Review, Stance, path_of
from reconciler.forge.session import Session
from reconciler.http.transport import Connect
from reconciler.model.forging import ForgeConfig

_HEADERS: Final = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}


class _Commit(msgspec.Struct):
    sha: str


class _Branch(msgspec.Struct):
    commit: _Commit


def api_of(url: str) -> str:
    """Where the API of the forge at `url` is."""
    if urlsplit(url).hostname in ("github.com", "www.github.com"):
        return "https://api.github.com"
    return f"{url.rstrip('/')}/api/v3"


def _authorize(token: str) -> dict[str, str]:
    return {**_HEADERS, "authorization": f"Bearer {token}"}


class GitHub(ReposForge):
    """Implements Forge. The permission `maintain` is told as write, `triage` as read."""

    most_commits = 250

    def __init__(self, config: ForgeConfig, connect: Connect, clock: Clock, random: Random) -> None:
        super().__init__(Session(config, api_of(config.url), connect, clock, random, _authorize), config.account)

    async def pulls(self, repository: str, base: str) -> AsyncIterator[Pull]:
        query = {"state": "open", "base": base, "sort": "created", "direction": "asc"}
        async for found in self.session.pages(f"{path_of(repository)}/pulls", FoundPull, query):
            yield found.pull()

    async def merged(self, repository: str, base: str) -> tuple[Pull, ...]:
        query = {"state": "closed", "base": base, "sort": "updated", "direction": "desc"}
        return await self.recent(repository, base, query)

    async def tip(self, repository: str, branch: str) -> str:
        path = f"{path_of(repository)}/branches/{quote(branch, safe='')}"
        return (await self.session.get(path, _Branch)).commit.sha

    def stance(self, review: Review) -> Stance:
        match review.state:
            case "APPROVED":
                return Stance.GIVES
            case "CHANGES_REQUESTED" | "DISMISSED":
                return Stance.TAKES
            case _:
                return Stance.LEAVES
