"""The forge that a configuration names."""

from random import Random

from reconciler.clock import Clock
from reconciler.forge.forge import Forge
from reconciler.forge.gitea import Gitea
from reconciler.forge.github import GitHub
from reconciler.forge.gitlab import GitLab
from reconciler.http.transport import Connect
from reconciler.model.forging import ForgeConfig, ForgeKind


def open_forge(config: ForgeConfig, connect: Connect, clock: Clock, random: Random) -> Forge:
    """Connections are made when something is asked. `close` it."""
    match config.kind:
        case ForgeKind.GITHUB:
            return GitHub(config, connect, clock, random)
        case ForgeKind.GITLAB:
            return GitLab(config, connect, clock, random)
        case ForgeKind.GITEA | ForgeKind.FORGEJO:
            return Gitea(config, connect, clock, random)
