"""Selectors by the hundred: which of them match these labels, without trying each."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from reconciler.kube.selector import LabelSelector

T = TypeVar("T")


class PodSelector:
    """A label selector and the namespaces it looks into (None: all). Equal ones have equal keys."""

    __slots__ = ("_selector", "anchor", "key", "namespaces")

    def __init__(self, selector: Mapping[str, Any] | None, namespaces: frozenset[str] | None) -> None:
        """`selector` is JSON; None matches nothing, {} everything."""
        self.namespaces = namespaces
        self._selector = None if selector is None else LabelSelector.of(selector)
        stated = (selector or {}).get("matchLabels") or {}
        self.anchor: tuple[str, str] | None = min(stated.items(), default=None)
        text = msgspec.json.encode(selector, order="deterministic")
        self.key: Hashable = (text, namespaces)

    def matches(self, namespace: str, labels: Mapping[str, str]) -> bool:
        if self.namespaces is not None and namespace not in self.namespaces:
            return False
        return self._selector is not None and bool(self._selector.matches(labels))


class SelectorTable(Generic[T]):
    """Values by selector. `hits` gives those whose selector matches some labels, looking only where it may."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[PodSelector, T]] = {}
        self._anchored: dict[tuple[str, str], dict[Hashable, tuple[PodSelector, T]]] = {}
        self._loose: dict[Hashable, tuple[PodSelector, T]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, selector: PodSelector, extra: Hashable = None) -> T | None:
        entry = self._entries.get((selector.key, extra))
        return entry[1] if entry else None

    def put(self, selector: PodSelector, value: T, extra: Hashable = None) -> None:
        key, entry = (selector.key, extra), (selector, value)
        self._entries[key] = entry
        if selector.anchor is None:
            self._loose[key] = entry
        else:
            self._anchored.setdefault(selector.anchor, {})[key] = entry

    def remove(self, selector: PodSelector, extra: Hashable = None) -> None:
        key = (selector.key, extra)
        del self._entries[key]
        if selector.anchor is None:
            del self._loose[key]
        else:
            del self._anchored[selector.anchor][key]

    def clear(self) -> None:
        self._entries.clear()
        self._anchored.clear()
        self._loose.clear()

    def hits(self, namespace: str, labels: Mapping[str, str]) -> Iterator[T]:
        """The values whose selectors match a pod with `labels` in `namespace`."""
        for pair in labels.items():
            for selector, value in self._anchored.get(pair, {}).values():
                if selector.matches(namespace, labels):
                    yield value
        for selector, value in self._loose.values():
            if selector.matches(namespace, labels):
                yield value
