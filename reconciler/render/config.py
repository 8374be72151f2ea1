"""The ConfigMap for a workload's `files`, named by its contents.

A new content is a new ConfigMap: pods of the old revision keep theirs until they are gone, and going back only points
at the old name again (rule 17). The old one leaves the manifests with the change and is pruned after the roll-out.
"""

import base64
import re
from collections import Counter
from typing import Any, Final

from reconciler.model.spec import Document, MountedFile
from reconciler.render.stamp import canonical, sha256

VOLUME: Final = "repository-files"  # not a name that a spec is likely to give one of its own
_ODD: Final = re.compile(r"[^-._a-zA-Z0-9]")


def config_map(document: Document) -> dict[str, Any] | None:
    """The immutable ConfigMap `<name>-files-<hash8>`; None where the document mounts no files."""
    if not document.files:
        return None
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, file in _keys(document).items():
        try:
            data[key] = file.content.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(file.content).decode()
    obj: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _name(document), "namespace": document.identity.namespace},
        "immutable": True,
    }
    if data:
        obj["data"] = data
    if binary:
        obj["binaryData"] = binary
    return obj


def volumes(document: Document) -> list[dict[str, Any]]:
    """The pod's volume for the files: each under its path in the container."""
    if not document.files:
        return []
    items = [{"key": key, "path": _path(file)} for key, file in sorted(_keys(document).items())]
    return [{"name": VOLUME, "configMap": {"name": _name(document), "items": items}}]


def mounts(document: Document, files: dict[str, str]) -> list[dict[str, Any]]:
    """The main container's mounts: one for each entry of `files`, a folder or a single file."""
    if not document.files:
        return []
    return [{"name": VOLUME, "mountPath": path, "subPath": path.strip("/")} for path in sorted(files)]


def _path(file: MountedFile) -> str:
    return f"{file.mount}/{file.name}".replace("//", "/").strip("/")


def _keys(document: Document) -> dict[str, MountedFile]:
    """Keys of the ConfigMap: a file's own name where only one file has it."""
    names = Counter(_ODD.sub("_", file.name) for file in document.files)
    keys: dict[str, MountedFile] = {}
    for file in sorted(document.files, key=_path):
        name = _ODD.sub("_", file.name)
        keys[name if names[name] == 1 else f"{sha256(_path(file).encode())[:8]}-{name}"] = file
    return keys


def _name(document: Document) -> str:
    # The kind is hashed too: a Deployment and a Task of one name may mount the same files.
    contents = [(_path(f), sha256(f.content)) for f in sorted(document.files, key=_path)]
    return f"{document.identity.name}-files-{sha256(canonical((document.identity.kind, contents)))[:8]}"
