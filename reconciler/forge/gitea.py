"""Gitea's and Forgejo's API, version 1, at /api/v1 of their host. https://docs.gitea.com/api · https://forgejo.org/docs"""

from collections.abc import AsyncIterator
from random import Random
from urllib.parse import quote

import msgspec

from reconciler.clock import Clock
from reconciler.forge.forge import Comment, Pull
from reconciler.forge.repos import FoundComment, FoundPull, ReposForge, Review, Stance, path_of
from reconciler.forge.session import Session
from reconciler.http.transport import Connect
from reconciler.model.forging import ForgeConfig


class _Commit(msgspec.Struct):
    id: str


class _Branch(msgspec.Struct):
    commit: _Commit


def _authorize(token: str) -> dict[str, str]:
    return {"accept": "application/json", "authorization": f"token {token}"}


class Gitea(ReposForge):
    """Implements Forge, for Forgejo too."""

    size = "limit"
    may_write_by = ("owner", "admin", "write")

    def __init__(self, config: ForgeConfig, connect: Connect, clock: Clock, random: Random) -> None:
        api = f"{config.url.rstrip('/')}/api/v1"
        super().__init__(Session(config, api, connect, clock, random, _authorize), config.account)

    async def pulls(self, repository: str, base: str) -> AsyncIterator[Pull]:
        """Not all versions choose by base, so it is done here."""
        query = {"state": "open", "sort": "oldest"}
        async for found in self.session.pages(f"{path_of(repository)}/pulls", FoundPull, query, size=self.size):
            if found.base.ref == base:
                yield found.pull()

    async def merged(self, repository: str, base: str) -> tuple[Pull, ...]:
        return await self.recent(repository, base, {"state": "closed", "sort": "recentupdate"})

    async def tip(self, repository: str, branch: str) -> str:
        return (await self.session.get(f"{path_of(repository)}/branches/{quote(branch)}", _Branch)).commit.id

    async def comments(self, repository: str, number: int) -> AsyncIterator[Comment]:
        """All at once: this list has no pages."""
        for found in await self.session.get(f"{path_of(repository)}/issues/{number}/comments", list[FoundComment]):
            yield found.comment()

    def stance(self, review: Review) -> Stance:
        match review.state:
            case "APPROVED":
                return Stance.TAKES if review.dismissed else Stance.GIVES
            case "REQUEST_CHANGES":
                return Stance.LEAVES if review.dismissed else Stance.TAKES
            case _:
                return Stance.LEAVES
