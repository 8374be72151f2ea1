"""Who is asked what containers use and what queries say, as the configuration says."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from reconciler.engine.demanding import Questions
from reconciler.engine.measuring import Ask
from reconciler.errors import QueryFailed, QueryUnanswered, SecretUnreadable, Undelivered, UsageError
from reconciler.http.transport import Connect, Transport
from reconciler.model.planner_config import PrometheusUsage, UsageConfig
from reconciler.model.usage import Measurement, Series
from reconciler.secret_file import read_secret
from reconciler.usage import containers, kubernetes
from reconciler.usage.prometheus import Prometheus, single


def ask_as(config: UsageConfig, cluster: Transport, connect: Connect) -> Ask:
    """What `reconciler.engine.measuring` asks with. `cluster` is the API server's; `connect` is for a Prometheus."""
    if config.prometheus is not None:
        return _Server(config.prometheus, connect).containers

    async def ask(_namespaces: frozenset[str], _at: datetime) -> tuple[Measurement, ...]:
        return await kubernetes.measure(cluster)

    return ask


def questions_to(config: UsageConfig, connect: Connect) -> Questions | None:
    """Whom queries are asked; None without a Prometheus."""
    return _Server(config.prometheus, connect) if config.prometheus is not None else None


class _Server:
    """A Prometheus, over a connection for each occasion: files are read anew each time, and minutes lie between two."""

    def __init__(self, config: PrometheusUsage, connect: Connect) -> None:
        self._config = config
        self._connect = connect

    async def containers(self, namespaces: frozenset[str], at: datetime) -> tuple[Measurement, ...]:
        async with self._connected() as prometheus:
            return await containers.measure(prometheus, namespaces, at)

    async def values(self, queries: Sequence[str], at: datetime) -> Sequence[float | UsageError]:
        """When the server does not answer one, the others are not asked."""
        found: list[float | UsageError] = []
        try:
            async with self._connected() as prometheus:
                for query in queries:
                    try:
                        found.append(single(query, await prometheus.instant(query, at)))
                    except QueryFailed as error:
                        found.append(error)
        except UsageError as error:
            return [*found, *[error] * (len(queries) - len(found))]
        return found

    async def past(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series | None:
        async with self._connected() as prometheus:
            found = await prometheus.range(query, start, end, step)
        return found[0] if len(found) == 1 else None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Prometheus]:
        config = self._config
        try:
            token = read_secret(config.token_file) if config.token_file else ""
            transport = self._connect(config.url, read_secret(config.ca_file) if config.ca_file else "")
        except (SecretUnreadable, Undelivered) as error:
            raise QueryUnanswered("the metrics server cannot be asked", where=config.url, why=str(error)) from None
        try:
            yield Prometheus(transport, token=token)
        finally:
            await transport.close()
