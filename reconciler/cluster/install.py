"""Which install the objects in a cluster belong to, for a daemon that lost its own name."""

import asyncio
from collections.abc import Collection
from typing import Final

from reconciler.cluster.read import list_metadata
from reconciler.cluster.server import Server
from reconciler.errors import ApiError, ConfigError
from reconciler.kube.kinds import CONFIG_MAP, CRON_JOB, DAEMON_SET, DEPLOYMENT, JOB, NAMESPACE, SERVICE, STATEFUL_SET
from reconciler.kube.names import GroupKind
from reconciler.model.manifest import LABEL_MANAGED_BY, MANAGER
from reconciler.model.ownership import owner_of

# Almost every source has one of these; asking for every kind there is would be a hundred lists.
_KINDS: Final = (CONFIG_MAP, NAMESPACE, SERVICE, DAEMON_SET, DEPLOYMENT, STATEFUL_SET, CRON_JOB, JOB)


async def find_install(server: Server, sources: Collection[str] | None = None) -> str | None:
    """The install that owns objects (of `sources`, where given); None where nobody does.

    Raises ConfigError when several do: then only a person can tell which one we are.
    """
    selector = f"{LABEL_MANAGED_BY}={MANAGER}"

    async def owners(kind: GroupKind) -> set[str]:
        try:
            listed = await list_metadata(server, kind, None, selector)
        except ApiError:  # not served, or not for us to read
            return set()
        found = (owner_of(live) for live in listed.values())
        return {owner.install for owner in found if owner and (sources is None or owner.source in sources)}

    installs = sorted(set().union(*await asyncio.gather(*map(owners, _KINDS))))
    if len(installs) > 1:
        raise ConfigError(
            f"objects in the cluster belong to several installs: {', '.join(installs)}",
            hint="say with `install` in the configuration which one this is",
        )
    return installs[0] if installs else None
