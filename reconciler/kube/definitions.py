"""What a CustomResourceDefinition defines, as far as it can be read: Git may state one that no server would take."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from reconciler.kube.names import GroupKind, GroupVersionKind

Served = Callable[[GroupVersionKind], bool | None]
"""Whether a version of a kind is served; None where that is not known."""


def defined_kind(definition: Mapping[str, Any]) -> GroupKind | None:
    """The kind that it defines; None where that cannot be told."""
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping):
        return None
    return GroupKind(str(spec.get("group") or ""), str(names.get("kind") or ""))


def served_kinds(definition: Mapping[str, Any]) -> Iterator[GroupVersionKind]:
    """That kind in each version that it has served."""
    kind = defined_kind(definition)
    versions = definition["spec"].get("versions") if kind is not None else None
    for version in versions if isinstance(versions, list) else ():
        if kind is not None and isinstance(version, Mapping) and version.get("served"):
            yield GroupVersionKind(kind.group, str(version.get("name")), kind.kind)


def serving(definitions: Iterable[Mapping[str, Any]]) -> Served:
    """Whether `definitions` have a version of a kind served; None where none of them defines that kind."""
    kinds: dict[GroupKind, set[GroupVersionKind]] = {}
    for definition in definitions:
        if (kind := defined_kind(definition)) is not None:
            kinds.setdefault(kind, set()).update(served_kinds(definition))

    def served(gvk: GroupVersionKind) -> bool | None:
        known = kinds.get(gvk.group_kind)
        return gvk in known if known is not None else None

    return served
