"""What containers use right now, as a Prometheus has it that scrapes the kubelets' cAdvisor.

https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from reconciler.kube.names import NAME_LETTERS, Identity
from reconciler.model.usage import Measurement, Series
from reconciler.usage.prometheus import Prometheus

# A container that is scraped twice, or that has just been started again, is there twice: the larger counts, not both.
_LARGEST: Final = "max by (namespace, pod, container) "
_CPU: Final = _LARGEST + "(rate(container_cpu_usage_seconds_total{%s}[5m]))"
_MEMORY: Final = _LARGEST + "(container_memory_working_set_bytes{%s})"
_CONTAINERS: Final = 'container!="", container!="POD", namespace=~"%s"'  # not whole pods, not their sandboxes
_HASH: Final = f"[{NAME_LETTERS}]"


async def measure(prometheus: Prometheus, namespaces: Iterable[str], at: datetime) -> tuple[Measurement, ...]:
    """All containers of `namespaces` of which both CPU and memory are known: cores on average over five minutes, bytes.

    Raises QueryFailed, QueryUnanswered.
    """
    which = _CONTAINERS % "|".join(sorted(namespaces))  # names of namespaces hold nothing that a pattern would read
    cpu = dict(_values(await prometheus.instant(_CPU % which, at)))
    memory = dict(_values(await prometheus.instant(_MEMORY % which, at)))
    return tuple(
        Measurement(pod, container, used, memory[pod, container], at)
        for (pod, container), used in cpu.items()
        if (pod, container) in memory
    )


def past_of(*workloads: Identity) -> str | None:
    """The cores that all pods of a Deployment, or of several of one namespace, use together, also of those that are
    gone; None for other workloads."""
    if not workloads or any((each.group, each.kind) != ("apps", "Deployment") for each in workloads):
        return None
    names = "|".join(sorted(each.name.replace(".", "[.]") for each in workloads))
    name, namespace = names if len(workloads) == 1 else f"({names})", workloads[0].namespace
    which = f'container!="", container!="POD", namespace="{namespace}", pod=~"{name}-{_HASH}{{1,10}}-{_HASH}{{5}}"'
    return f"sum({_CPU % which})"


def _values(found: tuple[Series, ...]) -> Iterator[tuple[tuple[Identity, str], float]]:
    for series in found:
        labels = series.labels
        if series.values and series.values[-1] >= 0:
            pod = Identity("", "Pod", labels.get("namespace", ""), labels.get("pod", ""))
            yield (pod, labels.get("container", "")), series.values[-1]
