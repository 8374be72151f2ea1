"""Whether what documents name is there: Images, dependencies, and no dependency in a circle."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.problem import Severity
from reconciler.model.reference import ImageReference, ObjectReference
from reconciler.model.spec import GROUP
from reconciler.specs.check import Checked
from reconciler.specs.finding import Finding, did_you_mean, shown
from reconciler.specs.ledger import Ledger

_MADE: Final = {
    "Deployment": ("Service", "Ingress", "ConfigMap", "PodDisruptionBudget"),
    "Task": ("Job", "CronJob", "ConfigMap"),
}
_HINTS: Final = 20  # searches for what may be meant: each looks at every name


def refer(checked: Mapping[Identity, Checked], ledger: Ledger) -> None:
    """Look up every name; what is not there, or goes in a circle, goes to the ledger."""
    there = (identity for identity, one in checked.items() if not one.removed)
    names = Names(there, frozenset(ledger.broken), ledger.unread)
    referring = [one for one in checked.values() if one.images or one.depends_on]
    for one in referring:
        found = [names.image(path, image, one) for path, image in one.images]
        found += [names.dependency(path, text, one) for path, text in one.depends_on]
        for finding in found:
            if finding is not None:
                ledger.found(one, finding)
    graph = edges(referring, names)
    for circle in cycles(graph):
        way = " → ".join(str(identity) for identity in (*circle, circle[0]))
        path = graph[circle[0]][circle[1]]
        ledger.found(checked[circle[0]], Finding("cycle", path, f"dependencies in a circle: {way}"))
        ledger.broken.update(circle)


class Names:
    """All identities of a snapshot. Those in `broken` are stated by documents that are invalid."""

    def __init__(self, identities: Iterable[Identity], broken: Collection[Identity], unknown: Collection[str]) -> None:
        self.all = frozenset(identities)
        self._broken = broken
        self._unknown = sorted(unknown)
        self._resolved: dict[tuple[str, str], Identity | None] = {}
        self._likes: dict[Identity, str] = {}
        self._hints = _HINTS
        self._groups: dict[str, set[str]] = defaultdict(set)
        self._images: dict[str, list[str]] = defaultdict(list)  # by namespace
        for identity in sorted(self.all):
            self._groups[identity.kind].add(identity.group)
            if (identity.group, identity.kind) == (GROUP, "Image"):
                self._images[identity.namespace].append(identity.name)

    def resolve(self, text: str, namespace: str) -> Identity | None:
        """The document that a reference means, seen from `namespace`; ours before any other of that kind."""
        key = (text, namespace)
        if key not in self._resolved:
            reference = ObjectReference.parse(text)
            groups = tuple(sorted(self._groups[reference.kind], key=lambda group: (group != GROUP, group)))
            found = (one for one in reference.candidates(namespace, groups) if one in self.all)
            self._resolved[key] = next(found, None)
        return self._resolved[key]

    def image(self, path: tuple[str | int, ...], image: str, checked: Checked) -> Finding | None:
        """What is wrong with an image that a workload names."""
        identity = Identity(GROUP, "Image", checked.identity.namespace, image)
        ours = checked.identity.group == GROUP
        if identity in self._broken:
            return Finding("broken-image", path, f"Image/{image} is invalid", "repair that Image first")
        if identity in self.all:
            return None
        try:
            reference = ImageReference.parse(image)
        except ValueError as error:
            message = f"{shown(image)} is neither an Image nor an image reference: {error}"
            return Finding("bad-image", path, message, self._like(identity)) if ours else None
        if not reference.bare:
            return None
        if self._unknown:
            message = f"whether {shown(image)} is an Image cannot be told while {self._unknown[0]} cannot be read"
            return Finding("broken-image", path, message, "repair that file first")
        if hint := self._like(identity):
            message = f"no Image {shown(image)} is in {identity.namespace}; it is taken as an image reference"
            return Finding("no-such-image", path, message, hint, severity=Severity.WARNING)
        return None

    def dependency(self, path: tuple[str | int, ...], text: str, checked: Checked) -> Finding | None:
        """What is wrong with a reference to another document."""
        if (found := self.resolve(text, checked.identity.namespace)) == checked.identity:
            return Finding("cycle", path, f"{checked.identity} depends on itself")
        if found is not None:
            return None
        return Finding(
            "no-such-document",
            path,
            f"there is no document {shown(text)}",
            self._meant(text, checked.identity.namespace),
        )

    def _like(self, image: Identity) -> str:
        """What may be meant by an Image that is not there. Many workloads name the same one."""
        if image not in self._likes:
            elsewhere = [namespace for namespace, names in self._images.items() if image.name in names]
            self._likes[image] = (
                f"the namespace {elsewhere[0]} has one; an Image serves its own namespace only"
                if elsewhere
                else did_you_mean(image.name, self._images.get(image.namespace, ()))
            )
        return self._likes[image]

    def _meant(self, text: str, namespace: str) -> str:
        """What may be meant by a document that is not there."""
        reference = ObjectReference.parse(text)
        space = reference.namespace or namespace
        for kind, made in _MADE.items():
            if reference.kind in made and Identity(GROUP, kind, space, reference.name) in self.all:
                return f"it is made by {kind}/{reference.name}: name that"
        if not self._hints:
            return ""
        self._hints -= 1
        near = sorted(f"{i.kind}/{i.name}" for i in self.all if i.namespace in (space, ""))
        if found := did_you_mean(f"{reference.kind}/{reference.name}", near):
            return found
        same = (reference.kind, reference.name)
        other = sorted(f"{i.kind}/{i.namespace}/{i.name}" for i in self.all if (i.kind, i.name) == same)
        return f"did you mean {other[0]}?" if other else ""


def edges(checked: Iterable[Checked], names: Names) -> dict[Identity, dict[Identity, tuple[str | int, ...]]]:
    """Who waits for whom, and where that is stated."""
    found: dict[Identity, dict[Identity, tuple[str | int, ...]]] = {}
    for one in checked:
        for path, text in one.depends_on:
            other = names.resolve(text, one.identity.namespace)
            if other is not None and other != one.identity:
                found.setdefault(one.identity, {}).setdefault(other, path)
    return found


def cycles(graph: Mapping[Identity, Collection[Identity]]) -> Iterator[list[Identity]]:
    """Circles of `graph`, one for each set of nodes that wait for each other; each begins with its least node."""
    for component in _components(graph):
        if len(component) > 1:
            yield _circle(min(component), graph, component)


def _components(graph: Mapping[Identity, Collection[Identity]]) -> Iterator[set[Identity]]:
    """Strongly connected components (Tarjan), without recursion."""
    index: dict[Identity, int] = {}
    low: dict[Identity, int] = {}
    stack: list[Identity] = []
    on_stack: set[Identity] = set()
    for root in sorted(graph):
        if root in index:
            continue
        work = [(root, iter(sorted(graph[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(graph.get(other, ())))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: set[Identity] = set()
                    while node not in component:
                        component.add(stack.pop())
                    on_stack -= component
                    yield component


def _circle(start: Identity, graph: Mapping[Identity, Collection[Identity]], within: set[Identity]) -> list[Identity]:
    """A shortest way from `start` back to it."""
    came: dict[Identity, Identity] = {}
    queue = [start]
    for node in queue:
        for other in sorted(graph.get(node, ())):
            if other == start:
                way = [node]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return way[::-1]
            if other in within and other not in came:
                came[other] = node
                queue.append(other)
    raise AssertionError("a component that is no circle")
