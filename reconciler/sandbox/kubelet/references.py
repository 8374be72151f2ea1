"""What a pod needs from its namespace before it can start: ConfigMaps, Secrets and volume claims. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from reconciler.sandbox.controllers.volumes import claim_names


class Kind(Enum):
    CONFIG_MAP = "configmap"
    SECRET = "secret"  # noqa: S105  # a word in a message
    CLAIM = "persistentvolumeclaim"


@dataclass(frozen=True, slots=True)
class Reference:
    """One needed object; `key` when a container wants one of its keys, `volume` when it is mounted."""

    kind: Kind
    name: str
    key: str = ""
    volume: str = ""


def needed(pod: Mapping[str, Any]) -> list[Reference]:
    """Everything `pod` cannot start without: volumes first, then environments, in the order of the spec."""
    return [*_volumes(pod), *_environments(pod)]


def _volumes(pod: Mapping[str, Any]) -> Iterator[Reference]:
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for source in sources:
            if (found := source.get("configMap")) and not found.get("optional"):
                yield Reference(Kind.CONFIG_MAP, found.get("name") or "", volume=name)
            if (found := source.get("secret")) and not found.get("optional"):
                yield Reference(Kind.SECRET, found.get("secretName") or found.get("name") or "", volume=name)
    for claim in claim_names(pod):
        yield Reference(Kind.CLAIM, claim, volume=claim)


def _environments(pod: Mapping[str, Any]) -> Iterator[Reference]:
    containers = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    kinds = (("configMap", Kind.CONFIG_MAP), ("secret", Kind.SECRET))
    for container in containers:
        for source in container.get("envFrom") or ():
            for word, kind in kinds:
                if (found := source.get(f"{word}Ref")) and not found.get("optional"):
                    yield Reference(kind, found.get("name") or "")
        for variable in container.get("env") or ():
            for word, kind in kinds:
                found = (variable.get("valueFrom") or {}).get(f"{word}KeyRef")
                if found and not found.get("optional"):
                    yield Reference(kind, found.get("name") or "", key=found["key"])
