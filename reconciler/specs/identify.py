"""Which object a part of a file describes, and why that cannot be told where it cannot."""

from collections.abc import Iterator
from typing import Any, Final

from reconciler.model.spec import GROUP
from reconciler.specs.finding import Finding, shown
from reconciler.specs.parts import NO_KIND, Part

JSON = Any

_FOREIGN: Final = {
    "kustomize.config.k8s.io": "kustomize is not run here; list the file in .reconcilerignore",
    "helm.cattle.io": "charts are not rendered here; apply what `helm template` writes",
}


def unidentified(part: Part) -> Iterator[Finding]:
    """Why nobody can tell which object `part` describes. Nothing for a part that its faults say it of already."""
    value = part.value
    if any(fault.code == "no-kind" for fault in part.faults):
        return
    missing = [name for name in ("apiVersion", "kind") if value.get(name) in (None, "")]
    if missing:
        yield Finding("no-kind", (), f"this document has no {' and no '.join(missing)}", _hint(value))
    for name in ("apiVersion", "kind"):
        if name not in missing and not isinstance(value[name], str):
            yield Finding("wrong-type", (name,), f"{shown(value[name])} is not a string")
    if missing:
        return
    metadata = value.get("metadata")
    group = str(value["apiVersion"]).partition("/")[0]
    if metadata is None:
        yield Finding("no-name", (), "this document has no metadata.name", _FOREIGN.get(group, NO_KIND))
    elif not isinstance(metadata, dict):
        yield Finding("wrong-type", ("metadata",), f"{shown(metadata)} is not a mapping")
    else:
        yield from _unnamed(metadata, group)


def _unnamed(metadata: dict[str, JSON], group: str) -> Iterator[Finding]:
    name = metadata.get("name")
    if name in (None, "") and metadata.get("generateName"):
        hint = "give it a name: an object with a generated one can be created, but never applied again"
        yield Finding("generate-name", ("metadata", "generateName"), "generateName cannot be applied", hint, key=True)
    elif name in (None, ""):
        yield Finding("no-name", ("metadata",), "metadata.name is missing", _FOREIGN.get(group, ""), key=True)
    for field in ("name", "namespace"):
        if (stated := metadata.get(field)) is not None and not isinstance(stated, str):
            yield Finding("wrong-type", ("metadata", field), f"{shown(stated)} is not a string")


def _hint(value: dict[str, JSON]) -> str:
    ours = (
        {"image", "repository", "replicas"} & (value.get("spec") or {}).keys()
        if isinstance(value.get("spec"), dict)
        else ()
    )
    return f"is it one of ours? Then it begins with apiVersion: {GROUP}/v1" if ours else NO_KIND
