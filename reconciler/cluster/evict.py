"""Asking Kubernetes to end a pod so that its workload makes another, within disruption budgets."""

from reconciler.cluster.api import Api, object_path
from reconciler.errors import NotFound, TooManyRequests
from reconciler.kube.names import Identity


async def evict(api: Api, pod: Identity, uid: str) -> bool:
    """Evict the pod with `uid`, and no other of that name; False where its budget has nothing to spare now.

    `api` should not try again by itself: a budget says no for minutes. That the pod is gone already is success. Raises
    ApiError or TransportError, Conflict where another pod has the name by now.
    """
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
        "deleteOptions": {"preconditions": {"uid": uid}},
    }
    path = object_path("v1", "pods", pod.namespace, pod.name, "eviction")
    try:
        await api.write("POST", path, body, subject=pod)
    except NotFound:
        return True
    except TooManyRequests:
        return False
    return True
