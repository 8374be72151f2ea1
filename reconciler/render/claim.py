"""The PersistentVolumeClaim for a volume that a spec claims: `claim: {size: 10Gi}`."""

from typing import Any

from reconciler.kube.names import Identity


def claim_name(workload: Identity, volume: str) -> str:
    return f"{workload.name}-{volume}"


def claim(workload: Identity, volume: str, stated: dict[str, Any]) -> dict[str, Any]:
    """The claim `<workload>-<volume>`. Fields besides `size` are Kubernetes' own; ReadWriteOnce by default."""
    fields = {name: value for name, value in stated.items() if name != "size"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim_name(workload, volume), "namespace": workload.namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": stated["size"]}},
            **fields,
        },
    }
