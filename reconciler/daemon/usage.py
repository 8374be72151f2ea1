"""Who is asked what containers use, as the configuration says."""

from datetime import datetime

from reconciler.engine.measuring import Ask
from reconciler.errors import QueryUnanswered, SecretUnreadable, Undelivered
from reconciler.http.transport import Connect, Transport
from reconciler.model.planner_config import PrometheusUsage, UsageConfig
from reconciler.model.usage import Measurement
from reconciler.secret_file import read_secret
from reconciler.usage import containers, kubernetes
from reconciler.usage.prometheus import Prometheus


def ask_as(config: UsageConfig, cluster: Transport, connect: Connect) -> Ask:
    """What `reconciler.engine.measuring` asks with. `cluster` is the API server's; `connect` is for a Prometheus."""
    if config.prometheus is not None:
        return _of_prometheus(config.prometheus, connect)

    async def ask(_namespaces: frozenset[str], _at: datetime) -> tuple[Measurement, ...]:
        return await kubernetes.measure(cluster)

    return ask


def _of_prometheus(config: PrometheusUsage, connect: Connect) -> Ask:
    async def ask(namespaces: frozenset[str], at: datetime) -> tuple[Measurement, ...]:
        """Over a connection of its own: files are read anew each time, and minutes lie between two questions."""
        try:
            token = read_secret(config.token_file) if config.token_file else ""
            transport = connect(config.url, read_secret(config.ca_file) if config.ca_file else "")
        except (SecretUnreadable, Undelivered) as error:
            raise QueryUnanswered("the metrics server cannot be asked", where=config.url, why=str(error)) from None
        try:
            return await containers.measure(Prometheus(transport, token=token), namespaces, at)
        finally:
            await transport.close()

    return ask
