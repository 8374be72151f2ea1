"""One document of YAML or JSON from the parser's events, within limits."""

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import yaml

from reconciler.specs.fault import Fault
from reconciler.specs.limits import Limits
from reconciler.specs.place import Mark, Path, Place, Places
from reconciler.specs.scalars import NotJson, dubious, dubious_key, resolve

JSON = Any

_MOST: Final = 100  # faults of one document that are told
_TAG: Final = "tag:yaml.org,2002:"


class Stop(Exception):
    """Nothing more of this text is read."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Builder:
    """Builds one document. With `places` set it also records where everything stands."""

    def __init__(self, following: Callable[[], Any], limits: Limits) -> None:
        self._next = following
        self._limits = limits
        # value, weight and height; None while it is being built
        self._anchors: dict[str, tuple[JSON, int, int] | None] = {}
        self._weight = 0
        self._deepest = 0
        self._aliases = 0
        self._item = -1
        self.places: Places | None = None
        self.faults: list[Fault] = []
        self.items: list[int] = []
        self.dubious = False
        self.start: Any = None
        self.end: Any = None

    def build(self) -> JSON:
        event = self._next()
        self.start = event.start_mark
        value = self._value(event, (), 0)
        self._next()  # the end of the document
        return value

    def _value(self, event: Any, path: Path, depth: int) -> JSON:
        kind = type(event)
        if kind is yaml.AliasEvent:
            self.end = event.end_mark
            return self._alias(event, depth)
        anchor = event.anchor
        weight, deepest = self._weight, self._deepest
        if anchor:
            self._anchors[anchor] = None
            self._deepest = depth
        value: JSON
        if kind is yaml.ScalarEvent:
            value = self._scalar(event, path)
            self.end = event.end_mark
        else:
            self._descend(depth + 1, event)
            self._add(1, event)
            if event.tag is not None and event.tag not in (
                "!",
                _TAG + ("map" if kind is yaml.MappingStartEvent else "seq"),
            ):
                self._custom_tag(event)
            value = self._mapping(path, depth) if kind is yaml.MappingStartEvent else self._sequence(path, depth)
        if anchor:
            self._anchors[anchor] = (value, self._weight - weight, self._deepest - depth)
            self._deepest = max(self._deepest, deepest)
        return value

    def _descend(self, depth: int, event: Any) -> None:
        if depth > self._limits.depth:
            raise Stop(_fault("too-deep", f"nested more than {self._limits.depth} deep", event))
        if depth > self._deepest:
            self._deepest = depth

    def _alias(self, event: Any, depth: int) -> JSON:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            raise Stop(_fault("too-many-aliases", f"more than {self._limits.aliases:,} aliases in a document", event))
        if event.anchor not in self._anchors:
            raise Stop(_fault("syntax", f"the alias *{event.anchor} has no anchor before it", event))
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise Stop(_fault("syntax", f"the alias *{event.anchor} contains itself", event))
        value, weight, height = anchored
        self._add(weight, event)
        self._descend(depth + height, event)
        return value

    def _add(self, weight: int, event: Any) -> None:
        self._weight += weight
        if self._weight > self._limits.expanded_nodes:
            limit = f"{self._limits.expanded_nodes:,}"
            raise Stop(_fault("too-many-values", f"more than {limit} values in a document, aliases followed", event))

    def _scalar(self, event: Any, path: Path) -> JSON:
        text: str = event.value
        self._add(1 + len(text) // 100, event)
        plain, _ = event.implicit
        if event.tag is None:
            if not plain:
                return text
        elif event.tag in ("!", _TAG + "str", _TAG + "timestamp"):
            return text
        elif event.tag not in (_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"):
            self._custom_tag(event)
            return text
        if self.places is not None:
            self.places[path] = Place(mark := _mark(event), mark, text)
        try:
            value = resolve(text)
        except NotJson:
            self._note("not-json", f"{text} is not a JSON value", event, hint=f'as a text: "{text}"')
            return text
        if value.__class__ is str:
            if len(text) <= 32:
                text = sys.intern(text)
            if ":" not in text or not dubious(text):
                return text
        if dubious(text):
            self.dubious = True
        return value

    def _sequence(self, path: Path, depth: int) -> list[JSON]:
        values: list[JSON] = []
        listed = depth == 1 and path == ("items",)
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            if listed:
                self._item = len(values)
                self.items.append(event.start_mark.line + 1)
            below = (*path, len(values))
            if self.places is not None:
                self.places[below] = Place(mark := _mark(event), mark)
            values.append(self._value(event, below, depth + 1))
        if listed:
            self._item = -1
        self._close(event)
        return values

    def _mapping(self, path: Path, depth: int) -> dict[str, JSON]:
        values: dict[str, JSON] = {}
        keys: dict[str, Any] = {}
        merged: list[JSON] = []
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._key(event, depth)
            following = self._next()
            if key == "<<" and event.implicit[0]:
                merged.append((self._value(following, (*path, "<<"), depth + 1), following))
                continue
            if key is None:
                self._value(following, (*path, ""), depth + 1)
                continue
            below = (*path, key)
            if key in keys:
                first = _mark(keys[key])
                self._note("duplicate-key", f'the key "{key}" is stated twice', event, also=first)
                self._value(following, (*path, "", key), depth + 1)
                continue
            keys[key] = event
            if self.places is not None:
                self.places[below] = Place(_mark(event), _mark(following))
            value = self._value(following, below, depth + 1)
            if self.places is not None:
                bare = type(event) is yaml.ScalarEvent and event.implicit[0]
                self.places[below] = Place(_mark(event), _mark(following), self._plain(below), bare)
            values[key] = value
        self._close(event)
        for value, start in merged:
            self._merge(values, value, start)
        return values

    def _close(self, event: Any) -> None:
        if event.end_mark.index > event.start_mark.index:  # a bracket; else it is the place of what comes next
            self.end = event.end_mark

    def _plain(self, path: Path) -> str | None:
        return self.places[path].plain if self.places else None

    def _key(self, event: Any, depth: int) -> str | None:
        """A key as the text that was written: `on`, `1` and `true` are names like any other."""
        if type(event) is yaml.ScalarEvent:
            self._add(1 + len(event.value) // 100, event)
            if event.anchor:
                self._anchors[event.anchor] = (event.value, 1, 0)
            if event.implicit[0] and event.value in ("", "~", "null"):
                self._note("bad-key", "a key is empty", event, hint="remove it, or quote it")
                return None
            if event.tag not in (None, "!") and not event.tag.startswith(_TAG):
                self._custom_tag(event)
            if event.implicit[0] and _doubtful(event.value):
                self.dubious = True
            return sys.intern(event.value)
        value = self._value(event, ("",), depth + 1)
        if isinstance(value, str):
            return value
        self._note(
            "bad-key", "a key must be a text, not a list or a mapping", event, hint='quote a value like "{{ x }}"'
        )
        return None

    def _merge(self, values: dict[str, JSON], sources: JSON, event: Any) -> None:
        """The YAML 1.1 merge key: what is stated beside it wins, then the earlier of several."""
        for source in sources if isinstance(sources, list) else [sources]:
            if not isinstance(source, dict):
                self._note("bad-key", "<< merges mappings only", event)
                return
            for key, value in source.items():
                values.setdefault(key, value)

    def _custom_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self._note("custom-tag", f"the tag {tag} means nothing here", event, hint="remove it, or quote the value")

    def _note(self, code: str, message: str, event: Any, *, hint: str = "", also: Mark | None = None) -> None:
        if len(self.faults) < _MOST:
            self.faults.append(Fault(code, message, _mark(event), hint, also, self._item))


@lru_cache(maxsize=4096)
def _doubtful(key: str) -> bool:
    """Keys are few and come again and again."""
    return dubious_key(key)


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _fault(code: str, message: str, event: Any) -> Fault:
    return Fault(code, message, _mark(event))
