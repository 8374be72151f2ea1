"""The scheduler's picture of the cluster, kept up to date pod by pod and node by node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from reconciler.kube.affinity import PREFERRED, REQUIRED
from reconciler.kube.pod_requests import Amounts, amounts, requested
from reconciler.sandbox.client import Key, Object, key_of
from reconciler.sandbox.controllers.owners import controller_of
from reconciler.sandbox.scheduler.requests import for_comparison, host_ports
from reconciler.sandbox.scheduler.selection import PodSelector, SelectorTable

_COUNTERS: Final = 4096

Count = dict[str, int]  # by node


@dataclass(frozen=True, slots=True)
class Term:
    """One pod affinity or anti-affinity term, its namespaces resolved."""

    selector: PodSelector
    topology_key: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """One topology spread constraint."""

    selector: PodSelector
    topology_key: str
    max_skew: int
    hard: bool
    min_domains: int
    honor_affinity: bool
    honor_taints: bool


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the scheduler sees it. Pods with the same `shape` fit the same nodes for the same reasons."""

    key: Key
    uid: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str]
    requests: Amounts
    compared: tuple[int, int]
    ports: tuple[tuple[str, str, int], ...]
    owner: str
    shape: bytes
    node_shape: bytes
    affinity: tuple[Term, ...] = ()
    anti_affinity: tuple[Term, ...] = ()
    attracted: tuple[Term, ...] = ()
    spreads: tuple[Spread, ...] = ()


@dataclass(slots=True, eq=False)
class Node:
    """A node and what is placed on it."""

    name: str
    obj: Object
    labels: Mapping[str, str]
    allocatable: Amounts
    used: Amounts = field(default_factory=dict)
    compared: list[int] = field(default_factory=lambda: [0, 0])
    pods: dict[str, Pod] = field(default_factory=dict)

    @property
    def taints(self) -> list[Object]:
        return (self.obj.get("spec") or {}).get("taints") or []

    @property
    def unschedulable(self) -> bool:
        return bool((self.obj.get("spec") or {}).get("unschedulable"))


class Cluster:
    """Nodes, placed pods, and counts of pods by selector and by node that follow every change."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.nodes_version = 0
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self._placed: dict[str, tuple[Pod, str]] = {}
        self._counts: SelectorTable[Count] = SelectorTable()
        self._repelling: SelectorTable[tuple[str, Count]] = SelectorTable()
        self._by_owner: dict[str, Count] = {}

    # nodes

    def set_node(self, obj: Object) -> bool:
        """Add or change a node. True when the change may matter to a pod that fits nowhere."""
        name = obj["metadata"]["name"]
        labels = obj["metadata"].get("labels") or {}
        allocatable = amounts((obj.get("status") or {}).get("allocatable") or {})
        old = self.nodes.get(name)
        if old is None:
            node = self.nodes[name] = Node(name, obj, labels, allocatable)
            for pod, placed in list(self._placed.values()):
                if placed == name:
                    _occupy(node, pod, 1)
        else:
            spec = ("taints", "unschedulable")
            before, after = old.obj.get("spec") or {}, obj.get("spec") or {}
            if (
                old.labels == labels
                and old.allocatable == allocatable
                and all(before.get(part) == after.get(part) for part in spec)
            ):
                old.obj = obj
                return False
            old.obj, old.labels, old.allocatable = obj, labels, allocatable
        self.nodes_version += 1
        return True

    def remove_node(self, name: str) -> None:
        if self.nodes.pop(name, None) is not None:
            self.nodes_version += 1

    # pods

    def is_placed(self, uid: str) -> str | None:
        """The node of a placed pod."""
        entry = self._placed.get(uid)
        return entry[1] if entry else None

    def place(self, pod: Pod, node: str) -> None:
        """Count `pod` on `node`, which need not be known yet. Placing it again elsewhere moves it."""
        if (before := self._placed.get(pod.uid)) is not None:
            if before[1] == node:
                return
            self.remove(pod.uid)
        self._placed[pod.uid] = (pod, node)
        self._account(pod, node, 1)

    def remove(self, uid: str) -> bool:
        """Forget a pod. True when it was placed."""
        entry = self._placed.pop(uid, None)
        if entry is not None:
            self._account(*entry, -1)
        return entry is not None

    def _account(self, pod: Pod, name: str, sign: int) -> None:
        if (node := self.nodes.get(name)) is not None:
            _occupy(node, pod, sign)
        for count in self._counts.hits(pod.key.namespace, pod.labels):
            _bump(count, name, sign)
        if pod.owner:
            _bump(self._by_owner.setdefault(pod.owner, {}), name, sign)
            if not self._by_owner[pod.owner]:
                del self._by_owner[pod.owner]
        for term in pod.anti_affinity:
            entry = self._repelling.get(term.selector, term.topology_key)
            if entry is None:
                entry = (term.topology_key, {})
                self._repelling.put(term.selector, entry, term.topology_key)
            _bump(entry[1], name, sign)
            if not entry[1]:
                self._repelling.remove(term.selector, term.topology_key)

    # counts

    def count(self, selector: PodSelector) -> Count:
        """The placed pods that `selector` matches, by node; the same dict stays up to date."""
        found = self._counts.get(selector)
        if found is None:
            if len(self._counts) > _COUNTERS:
                self._counts.clear()
            found = {}
            for pod, node in self._placed.values():
                if selector.matches(pod.key.namespace, pod.labels):
                    _bump(found, node, 1)
            self._counts.put(selector, found)
        return found

    def siblings(self, owner: str) -> Count:
        """The placed pods of one controller, by node."""
        return self._by_owner.get(owner, {})

    def repelled(self, pod: Pod) -> set[tuple[str, str]]:
        """The domains, as topology key and value, where a placed pod wants no neighbour like `pod`."""
        found = set()
        for topology_key, count in self._repelling.hits(pod.key.namespace, pod.labels):
            for name in count:
                node = self.nodes.get(name)
                if node is not None and topology_key in node.labels:
                    found.add((topology_key, node.labels[topology_key]))
        return found

    def describe(self, obj: Object) -> Pod:
        """`obj`, a pod, as the scheduler sees it."""
        spec, metadata = obj["spec"], obj["metadata"]
        labels = metadata.get("labels") or {}
        affinity = spec.get("affinity") or {}
        reference = controller_of(obj)
        node_parts = [
            spec.get("nodeSelector"),
            affinity.get("nodeAffinity"),
            spec.get("tolerations"),
            spec.get("nodeName"),
        ]
        requests = requested(spec)
        ports = host_ports(spec)
        constraints = spec.get("topologySpreadConstraints")
        owner = reference["uid"] if reference else ""
        parts = [node_parts, metadata["namespace"], labels, affinity, constraints, sorted(requests.items()), ports]
        parts.append([volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or ()])
        pods, anti = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
        return Pod(
            key=key_of(obj),
            uid=metadata["uid"],
            spec=spec,
            labels=labels,
            requests=requests,
            compared=for_comparison(spec),
            ports=ports,
            owner=owner,
            shape=msgspec.json.encode(parts, order="deterministic"),
            node_shape=msgspec.json.encode(node_parts, order="deterministic"),
            affinity=tuple(self._term(entry, obj) for entry in pods.get(REQUIRED) or ()),
            anti_affinity=tuple(self._term(entry, obj) for entry in anti.get(REQUIRED) or ()),
            attracted=tuple(
                self._term(entry["podAffinityTerm"], obj, sign * entry["weight"])
                for sign, group in ((1, pods), (-1, anti))
                for entry in group.get(PREFERRED) or ()
            ),
            spreads=tuple(self._spread(entry, obj) for entry in constraints or ()),
        )

    def _term(self, term: Object, obj: Object, weight: int = 0) -> Term:
        namespaces: frozenset[str] | None
        wanted = term.get("namespaceSelector")
        named = frozenset(term.get("namespaces") or ())
        if wanted is not None and not wanted:
            namespaces = None
        elif wanted:
            chosen = PodSelector(wanted, None)
            namespaces = named | {name for name, labels in self.namespaces.items() if chosen.matches("", labels)}
        else:
            namespaces = named or frozenset((obj["metadata"]["namespace"],))
        selector = PodSelector(_with_keys(term, obj), namespaces)
        return Term(selector, term["topologyKey"], weight)

    def _spread(self, entry: Object, obj: Object) -> Spread:
        return Spread(
            selector=PodSelector(_with_keys(entry, obj), frozenset((obj["metadata"]["namespace"],))),
            topology_key=entry["topologyKey"],
            max_skew=entry["maxSkew"],
            hard=(entry.get("whenUnsatisfiable") or "DoNotSchedule") == "DoNotSchedule",
            min_domains=entry.get("minDomains") or 1,
            honor_affinity=(entry.get("nodeAffinityPolicy") or "Honor") == "Honor",
            honor_taints=(entry.get("nodeTaintsPolicy") or "Ignore") == "Honor",
        )


def _with_keys(entry: Object, obj: Object) -> Object | None:
    """The labelSelector of `entry` with its matchLabelKeys filled in from the pod `obj`."""
    selector: Object | None = entry.get("labelSelector")
    labels = obj["metadata"].get("labels") or {}
    more = {name: labels[name] for name in entry.get("matchLabelKeys") or () if name in labels}
    if not more:
        return selector
    return {**(selector or {}), "matchLabels": {**((selector or {}).get("matchLabels") or {}), **more}}


def _occupy(node: Node, pod: Pod, sign: int) -> None:
    for name, value in pod.requests.items():
        node.used[name] = node.used.get(name, 0) + sign * value
    node.compared[0] += sign * pod.compared[0]
    node.compared[1] += sign * pod.compared[1]
    if sign > 0:
        node.pods[pod.uid] = pod
    else:
        node.pods.pop(pod.uid, None)


def _bump(count: Count, node: str, sign: int) -> None:
    value = count.get(node, 0) + sign
    if value:
        count[node] = value
    else:
        count.pop(node, None)
