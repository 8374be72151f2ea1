"""What is rendered where a spec leaves something open: decided by a planner, and for pod templates kept on record.

A change of a pod template is a roll-out. So what a plan once put into one lies in an annotation of the object and stays
until the spec or an image changes (rule 19); the number of pods is no part of the template and follows every plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from reconciler.kube.names import Identity
from reconciler.kube.quantity import parse
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.shares import Portion
from reconciler.model.spec import Scale

REPLICAS: Final = "/spec/replicas"
_LARGEST: Final = 1 << 63  # of a request: beyond what Kubernetes reckons with


class Preference(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Nodes that the pods had better be on: `weight` (1 … 100), `labels` that they carry, in one of `zones` (any where
    that is empty)."""

    weight: Annotated[int, msgspec.Meta(ge=1, le=100)]
    labels: dict[str, str] = {}
    zones: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, omit_defaults=True, rename={"asked": "for"}):
    """What a plan filled in for one document.

    What concerns the pod template is for the spec and images that hash to `asked`, and empty where the template is as
    the spec states it: `prefer`; `nodes`, by hostname, of all those the ones that the plan had in mind; `spread`, the
    topologies ("zone", "node") over which the pods had better be spread; `apart`, that to be even over zones counts for
    more than pools and nodes; `requests` of the main container, by resource. `replicas` are pods, or the least of them
    where an autoscaler makes more; None where that is not left open. `weighs` is what the spec said then of how to
    weigh. `pool` are the labels that nodes of its pool had by the configuration, where the spec names a pool. Of a
    workload with shares each part has a record, with the replicas of all.
    """

    asked: str
    prefer: tuple[Preference, ...] = ()
    spread: tuple[Annotated[str, msgspec.Meta(pattern="^(zone|node)$")], ...] = ()
    requests: dict[str, str] = {}
    replicas: Annotated[int, msgspec.Meta(ge=0)] | None = None
    nodes: tuple[str, ...] = ()
    weighs: PlannerSettings | None = None
    pool: dict[str, str] = {}
    apart: bool = False

    @property
    def template(self) -> tuple[object, ...]:
        """All that concerns the pod template and is worth a word where it is other advice than before: `nodes` are
        others with every plan, and `apart` follows what is spread."""
        return (self.prefer, self.spread, self.requests)

    def text(self) -> str:
        """As the annotation has it: the same record gives the same text."""
        return msgspec.json.encode(self, order="sorted").decode()

    @classmethod
    def of(cls, text: str) -> "Record | None":
        """What `text` says; None for what is no record: people can write annotations."""
        try:
            record = msgspec.json.decode(text, type=cls)
            amounts = [parse(each) for each in record.requests.values()]
        except (ValueError, RecursionError):
            return None
        return record if all(0 <= each < _LARGEST for each in amounts) else None


Filling = Mapping[Identity, Record]
"""By document, or part of one. What is not in it is rendered as it is stated."""

NOTHING: Final[Filling] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Draft:
    """One workload as its document states it, before anything is filled in.

    `workload` is the object that it makes ("Deployment.apps/shop/web"), `template` its pods' metadata and spec.
    `hash` is over what the user wrote for the pods, and the images: what decides whether there is a roll-out.
    `replicas` are pods that are stated (for a Task those that run at one time); None leaves them open, unless `scale`
    is stated. `requests` are the resources of the main container (named as the document) for which one is stated.
    `spread` says that the spec itself states over what its pods are spread. Of a workload with shares there is a draft
    for each pool (`portion`); what is stated of `replicas` and `scale` is that of all of them.
    What is not `plannable` takes room, and nothing of it is filled in. `weighs` is what the spec says of how to weigh;
    it is no part of the hash.
    """

    identity: Identity
    workload: Identity
    template: Mapping[str, Any]
    hash: str
    replicas: int | None = None
    scale: Scale | None = None
    requests: frozenset[str] = frozenset()
    spread: bool = False
    plannable: bool = True
    weighs: PlannerSettings | None = None
    portion: Portion | None = None

    @property
    def whole(self) -> Identity:
        """The document, after which the main container is named, and under which use and demand are measured."""
        return self.identity if self.portion is None else self.portion.document

    @property
    def counted(self) -> bool:
        """Whether a planner says how many pods there are: neither the spec nor an autoscaler of Kubernetes does."""
        return self.plannable and self.replicas is None and (self.scale is None or self.scale.query is not None)

    def requesting(self, requests: Mapping[str, str]) -> Mapping[str, Any]:
        """The template with `requests` in its main container; what is stated of them stays."""
        spec = self.template["spec"]
        containers = []
        for container in spec["containers"]:
            if container["name"] == self.whole.name:
                resources = container.get("resources") or {}
                stated = resources.get("requests") or {}
                container = {**container, "resources": {**resources, "requests": {**requests, **stated}}}
            containers.append(container)
        return {**self.template, "spec": {**spec, "containers": containers}}
