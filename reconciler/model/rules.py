"""What a repository decides for itself, in a file `reconciler.yaml`. schemas/repository.json rules."""

from fnmatch import fnmatchcase

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.review_rules import ReviewRules


class _Settings(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class IgnoreRule(_Settings, frozen=True):
    """Fields that Git states and leaves to others all the same, in all objects that match.

    `group`, `kind`, `namespace` and `name` are globs; what is not stated matches all. `fields` are JSON pointers,
    `managers` globs of field managers: what they own is left to them.
    """

    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    fields: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def matches(self, identity: Identity) -> bool:
        """Whether the rule is about the object."""
        stated = zip((self.group, self.kind, self.namespace, self.name), identity, strict=True)
        return all(glob is None or fnmatchcase(part, glob) for glob, part in stated)


class RepositorySettings(_Settings, frozen=True):
    """The whole file."""

    ignore: tuple[IgnoreRule, ...] = ()
    planner: PlannerSettings | None = None
    review: ReviewRules | None = None
