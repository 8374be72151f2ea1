"""Forges and their webhooks: a part of the daemon's configuration. schemas/config.json rules."""

from enum import StrEnum

import msgspec


class ForgeKind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"


class _Config(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class ForgeConfig(_Config, frozen=True):
    """Where pull requests are reviewed. `url` is the address that people use, without the path of its API."""

    name: str
    kind: ForgeKind
    url: str
    token_file: str
    repositories: tuple[str, ...]  # owner/name, as in the forge's addresses
    account: str | None = None  # who the token belongs to, where the forge does not tell (GitHub Apps)
    ca_file: str | None = None


class WebhookConfig(_Config, frozen=True):
    """A path, /webhooks/<name>, at which a forge may say that something has happened."""

    name: str
    kind: ForgeKind
    secret_file: str
