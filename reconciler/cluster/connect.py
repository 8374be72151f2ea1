"""A Cluster from a kubeconfig or from inside a pod."""

from random import Random

from reconciler.clock import Clock
from reconciler.cluster.auth import Credentials
from reconciler.cluster.cluster import Cluster


async def connect(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    clock: Clock,
    random: Random,
    concurrency: int = 8,
) -> Cluster:
    """A Cluster that is not contacted yet; close it.

    Without `kubeconfig`: the files of $KUBECONFIG or ~/.kube/config, else the service account of the pod that we run
    in. Raises ConfigError when none of these can be used.
    """
    from reconciler.http.client import Hints, HttpTransport

    credentials = Credentials(kubeconfig, context, clock)
    endpoint = await credentials.load()
    transport = HttpTransport(
        endpoint.url,
        ssl=credentials.tls,
        headers=credentials.headers,
        limit=concurrency,
        server_hostname=endpoint.server_hostname,
        proxy=endpoint.proxy,
        hints=Hints(
            reach="is the API server running, and is its address right?",
            trust="is the certificate authority in the kubeconfig the server's?",
        ),
    )
    return Cluster(transport, clock=clock, random=random, concurrency=concurrency)
