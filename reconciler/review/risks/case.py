"""What the dangers of a merge are found in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.kube.definitions import Served
from reconciler.kube.names import Identity
from reconciler.model.change import Change
from reconciler.model.cluster_view import NodeView
from reconciler.model.manifest import Manifest
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """`base` and `head` are what each makes, `changes` what the merge would do.

    `served` says whether a version of a kind is served; None where that is not known. `nodes` are those of the cluster,
    None where they are not known. `unplaced` says of workloads for which the planner finds no place with the head, and
    had one with the base, why.
    """

    base: Mapping[Identity, Manifest]
    head: Mapping[Identity, Manifest]
    changes: Sequence[Change]
    served: Served = lambda _gvk: None
    nodes: Sequence[NodeView] | None = None
    unplaced: Mapping[Identity, str] = field(default_factory=dict)

    def touched(self) -> Iterator[tuple[Manifest, Object | None]]:
        """What is new or other than in the base, each with the object of the base: None where that was never made, as
        somebody else has the object."""
        adopted = {change.identity for change in self.changes if change.existing is not None}
        for identity, manifest in self.head.items():
            before = None if identity in adopted else self.base.get(identity)
            if before is None or before.digest != manifest.digest:
                yield manifest, before.object if before is not None else None


def risk(code: RiskCode, manifest: Manifest, message: str) -> Risk:
    """Of an object that the head states."""
    return Risk(code, manifest.identity, message, manifest.origin)


def some(words: Sequence[str], most: int = 3) -> str:
    """The first few, and how many more there are."""
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


def mapping(value: Any) -> Object:
    """`value` if it is an object of JSON, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def maps(value: Any) -> list[Object]:
    """The objects of JSON in `value`, if it is a list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """What is in `value`, if it is a list, as text."""
    return [str(each) for each in value] if isinstance(value, list) else []
