#!/usr/bin/env python3
"""Make reconciler/kube/data/kubernetes.json.xz from the OpenAPI files that a Kubernetes release publishes.

    tools/generate_openapi.py [--version v1.36.0] [api/openapi-spec]

The argument is the folder `api/openapi-spec` of a Kubernetes source tree. Without it the Go module `k8s.io/kubernetes`
of that version is fetched by `go mod download` (checksums and all) and its folder is used.

Kept: everything structural of the OpenAPI v2 definitions, the defaults, which only the v3 files state, and which
resources exist, from the paths. Dropped: descriptions. The output is the same for the same input.
"""

import argparse
import json
import lzma
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent.parent / "reconciler" / "kube" / "data" / "kubernetes.json.xz"
VERBS = {"post": "create", "put": "update"}
ORDER = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def module_folder(version: str) -> Path:
    """Where the Go tool keeps the OpenAPI files of that Kubernetes version."""
    answer = subprocess.run(
        ["go", "mod", "download", "-json", f"k8s.io/kubernetes@{version}"], check=True, capture_output=True, text=True
    )
    return Path(json.loads(answer.stdout)["Dir"]) / "api" / "openapi-spec"


def stripped(node: Any) -> Any:
    """`node`, a schema, without the descriptions of itself and everything in it."""
    kept = {}
    for key, value in node.items():
        if key == "properties":
            kept[key] = {name: stripped(child) for name, child in sorted(value.items())}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = stripped(value)
        elif key != "description":
            kept[key] = value
    return dict(sorted(kept.items()))


def add_defaults(definitions: dict[str, Any], folder: Path) -> None:
    """Defaults of properties, from the v3 files: `{}` marks a struct that is always there, "" and 0 a zero value."""
    for path in sorted((folder / "v3").glob("*.json")):
        for name, schema in json.loads(path.read_text()).get("components", {}).get("schemas", {}).items():
            for field, member in schema.get("properties", {}).items():
                if "default" in member:
                    definitions[name]["properties"][field]["default"] = member["default"]


def kinds(definitions: dict[str, Any]) -> dict[str, str]:
    """The definition of each kind, by "group/version/kind".

    A kind that every group shares (DeleteOptions, WatchEvent) names dozens of groups, and nobody looks it up by them.
    """
    found = {}
    for name, definition in definitions.items():
        named = definition.get("x-kubernetes-group-version-kind", ())
        if len(named) > 1:
            del definition["x-kubernetes-group-version-kind"]
        for gvk in named if len(named) == 1 else ():
            found[f"{gvk['group']}/{gvk['version']}/{gvk['kind']}"] = name
    return dict(sorted(found.items()))


def resources(paths: dict[str, Any]) -> list[list[Any]]:
    """One row a resource and version: group, version, kind, plural, namespaced, verbs, subresources."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    subresources: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)
    for path, operations in paths.items():
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            group, rest = "", parts[1:]
        elif parts[0] == "apis":
            group, rest = (parts[1] if len(parts) > 1 else ""), parts[2:]
        else:
            continue
        version, rest = (rest[0], rest[1:]) if rest else ("", [])
        if not rest or rest[0] == "watch":
            continue
        namespaced = len(rest) > 2 and rest[:2] == ["namespaces", "{namespace}"]
        plural, *tail = rest[2:] if namespaced else rest
        key = (group, version, plural)
        verbs = set()
        gvk = {}
        for method in sorted(operations):
            operation = operations[method]
            if not isinstance(operation, dict) or "x-kubernetes-action" not in operation:
                continue
            action = operation["x-kubernetes-action"]
            if action == "connect":
                if method not in ("get", "post"):
                    continue
                action = "get" if method == "get" else "create"
            verbs.add(VERBS.get(action, action))
            gvk = operation["x-kubernetes-group-version-kind"]
        if len(tail) > 1:
            if "{path}" not in tail:
                name = "/".join(tail[1:])
                kind = [gvk["group"], gvk["version"], gvk["kind"]]
                subresources[key][name] = [name, *kind, [verb for verb in ORDER if verb in verbs]]
            continue
        row = found.setdefault(key, {"kind": gvk["kind"], "namespaced": False, "verbs": set()})
        row["namespaced"] |= namespaced
        row["verbs"] |= verbs | ({"watch"} if "list" in verbs else set())
    return [
        [
            group,
            version,
            row["kind"],
            plural,
            row["namespaced"],
            [verb for verb in ORDER if verb in row["verbs"]],
            [subresources[group, version, plural][name] for name in sorted(subresources[group, version, plural])],
        ]
        for (group, version, plural), row in sorted(found.items())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="api/openapi-spec of a Kubernetes source tree")
    parser.add_argument("--version", default="v1.36.0", help="the release, recorded in the data (default %(default)s)")
    options = parser.parse_args()
    folder: Path = options.folder or module_folder(options.version)
    swagger = json.loads((folder / "swagger.json").read_text())
    definitions = {name: stripped(schema) for name, schema in sorted(swagger["definitions"].items())}
    add_defaults(definitions, folder)
    data = {
        "version": options.version,
        "resources": resources(swagger["paths"]),
        "kinds": kinds(definitions),
        "definitions": definitions,
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    OUTPUT.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{OUTPUT}: {len(definitions)} definitions, {len(text)} bytes, {OUTPUT.stat().st_size} packed\n")


if __name__ == "__main__":
    main()
