"""Writes reconciler/sandbox/data/gotypes.json: how a Kubernetes API server reads and writes fields of its kinds.

    python tools/generate_sandbox_types.py PATH_TO_GO_MODULE_CACHE/k8s.io

Takes the structure (never the text) of the types of k8s.io/api, k8s.io/apimachinery and k8s.io/apiextensions-apiserver,
all Apache-2.0: for every struct its JSON field names, whether a field is left out when empty, its type and its number
in protobuf. An OpenAPI description does not tell these, and without them an answer differs from the real server's.

A field is written "flags|type|number"; flags: o left out when empty, z left out when zero, p a pointer. "+number" is a
struct whose fields are the outer struct's own in JSON and a message of their own in protobuf.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

VERSION = "v0.36.0"
OUTPUT = Path(__file__).parent.parent / "reconciler" / "sandbox" / "data" / "gotypes.json"

SCALARS = {"string", "bool", "int32", "int64", "float64", "int", "byte", "uint16", "uint32", "uint64", "float32"}
SPECIAL = {
    "meta/v1.Time": "time",
    "meta/v1.MicroTime": "microtime",
    "meta/v1.Duration": "duration",
    "meta/v1.FieldsV1": "any",
    "intstr.IntOrString": "intorstring",
    "resource.Quantity": "quantity",
    "runtime.RawExtension": "any",
    "runtime.Object": "any",
    "apiextensions/v1.JSON": "any",
    "apiextensions/v1.JSONSchemaPropsOrBool": "either:apiextensions/v1.JSONSchemaProps",
    "apiextensions/v1.JSONSchemaPropsOrArray": "either:apiextensions/v1.JSONSchemaProps",
    "apiextensions/v1.JSONSchemaPropsOrStringArray": "any",
    "types.UID": "string",
    "types.NodeName": "string",
    "interface{}": "any",
}

STRUCT = re.compile(r"^type (\w+) struct ?\{(?:\}|\n(.*?)^\})", re.MULTILINE | re.DOTALL)
ALIAS = re.compile(r"^type (\w+) (=?\s*[^\s{]+)$", re.MULTILINE)
CONST = re.compile(r"^\s*(\w+)\s+(?:\w+\s+)?=\s+(\"[^\"]*\")", re.MULTILINE)
FIELD = re.compile(r'^(?:(\w+)\s+)?(\*?[\w\[\]\.\*\{\}]+)\s+`json:"([^"]*)"(?:.*?protobuf:"\w+,(\d+),)?')
IMPORT = re.compile(
    r'^\s*(\w+)?\s*"k8s\.io/(?:api|apimachinery/pkg|kubernetes/pkg|apiextensions-apiserver/pkg)/([\w/]+)"', re.MULTILINE
)


def packages(root: Path) -> dict[str, list[Path]]:
    """The packages to read, by the name used in the output ("apps/v1", "meta/v1")."""
    found = {"meta/v1": root / f"apimachinery@{VERSION}/pkg/apis/meta/v1"}
    found["apiextensions/v1"] = root / f"apiextensions-apiserver@{VERSION}/pkg/apis/apiextensions/v1"
    for path in sorted((root / f"api@{VERSION}").glob("*/v[12]")):
        found[f"{path.parent.name}/{path.name}"] = path
    chosen = {name: sorted(path.glob("types*.go")) for name, path in found.items()}
    chosen["meta/v1"] = [found["meta/v1"] / "types.go", found["meta/v1"] / "group_version.go"]
    return {name: files for name, files in chosen.items() if files}


class Reader:
    def __init__(self) -> None:
        self.structs: dict[str, list[tuple[str, str, str, str, str]]] = {}
        self.aliases: dict[str, str] = {}
        self.constants: dict[str, str] = {}

    def read(self, package: str, text: str) -> None:
        imports = {"": package}
        for alias, path in IMPORT.findall(text):
            short = path.removeprefix("apis/").removeprefix("api/").removeprefix("util/")
            imports[alias or path.rsplit("/", 1)[-1]] = short
        for name, literal in CONST.findall(text):
            self.constants[name] = json.loads(literal)
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        for name, body in STRUCT.findall(text):
            self.structs[f"{package}.{name}"] = list(self._fields(body, imports))
        for name, target in ALIAS.findall(text):
            if "(" not in target:
                self.aliases[f"{package}.{name}"] = self._type(target.removeprefix("=").strip(), imports)

    def _fields(self, body: str, imports: dict[str, str]) -> Any:
        default = ""
        for line in body.splitlines():
            stripped = line.strip()
            if stripped.startswith("// +default="):
                default = stripped.removeprefix("// +default=")
            if match := FIELD.match(stripped):
                _, kind, tag, number = match.groups()
                name, *options = tag.split(",")
                flags = ("o" if "omitempty" in options else "") + ("z" if "omitzero" in options else "")
                flags += "i" if "inline" in options or not name else ""
                if kind.startswith("*"):
                    flags, kind = flags + "p", kind[1:]
                yield name, flags, self._type(kind, imports), default, number or ""
                default = ""

    def _type(self, kind: str, imports: dict[str, str]) -> str:
        kind = kind.removeprefix("*")
        if kind == "[]byte":
            return "bytes"
        if kind.startswith("[]"):
            return "[]" + self._type(kind[2:], imports)
        if kind.startswith("map["):
            return "map:" + self._type(kind.split("]", 1)[1], imports)
        if kind in SCALARS or kind in SPECIAL:
            return SPECIAL.get(kind, kind)
        alias, _, name = kind.rpartition(".")
        package = imports.get(alias, alias)
        if package in ("api/resource", "resource") and name == "Quantity":
            return "quantity"
        full = f"{package}.{name}"
        return SPECIAL.get(full, full)

    def resolve(self, kind: str) -> str:
        if kind.startswith("[]"):
            return "[]" + self.resolve(kind[2:])
        if kind.startswith("map:"):
            return "map:" + self.resolve(kind[4:])
        if kind in self.structs:
            return kind
        return self.resolve(self.aliases[kind]) if kind in self.aliases else kind

    def default(self, text: str) -> Any:
        if match := re.match(r"ref\((?:.*\.)?(\w+)\)", text):
            return self.constants[match[1]]
        return json.loads(text)

    def output(self) -> dict[str, Any]:
        structs: dict[str, dict[str, str]] = {}
        defaults: dict[str, dict[str, Any]] = {}

        def flatten(name: str) -> None:
            if name in structs:
                return
            fields = structs.setdefault(name, {})
            for field, flags, kind, default, number in self.structs[name]:
                resolved = self.resolve(kind)
                if "i" in flags:
                    flatten(resolved)
                    for key, text in structs[resolved].items():
                        if not key.startswith("+"):
                            fields[key] = text.rpartition("|")[0] + "|" if number else text
                    if number:
                        fields[f"+{number}"] = resolved
                    if resolved in defaults:
                        defaults.setdefault(name, {}).update(defaults[resolved])
                    continue
                fields[field] = f"{flags}|{resolved}|{number}"
                if default:
                    value = self.default(default)
                    if value not in ("", 0, False, {}) or "p" in flags:
                        defaults.setdefault(name, {})[field] = value

        for name in sorted(self.structs):
            flatten(name)
        known = {**structs}
        for fields in structs.values():
            for encoded in fields.values():
                kind = encoded.split("|")[1] if "|" in encoded else encoded
                leaf = re.sub(r"^(\[\]|map:|either:)*", "", kind)
                if leaf not in known and "." in leaf:
                    raise SystemExit(f"unresolved type {leaf}")
        return {"defaults": dict(sorted(defaults.items())), "structs": structs}


def main() -> None:
    root = Path(sys.argv[1])
    reader = Reader()
    for package, files in packages(root).items():
        for file in files:
            reader.read(package, file.read_text())
    found = reader.output()
    OUTPUT.write_text(json.dumps(found, separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{len(found['structs'])} structs, {len(found['defaults'])} with defaults → {OUTPUT}")


if __name__ == "__main__":
    main()
