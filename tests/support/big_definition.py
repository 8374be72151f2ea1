"""A CustomResourceDefinition of more than 300 kB, as operators have them: python tests/support/big_definition.py"""

# ruff: noqa: T201 - a command prints

from collections.abc import Iterator

GROUPS = 115
FIELDS = 20

_TEXT = (
    "The server takes what is stated here and keeps it as it is. Where nothing is stated the operator chooses, and "
    "says in its status what it chose and why."
)
_PLAIN = (
    "type: string",
    "type: integer\n{}format: int32",
    "type: boolean",
    "type: object\n{}additionalProperties: {{type: string}}",
    "type: array\n{}items: {{type: string}}\n{}x-kubernetes-list-type: set",
    "x-kubernetes-int-or-string: true",
)


def big_definition() -> str:
    """Its YAML. The kind is Prober, of the group monitor.acme.example."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from _HEAD.splitlines()
    for group in range(GROUPS):
        yield f"              group{group:03}:"
        yield f"                description: Settings of part {group}. {_TEXT}"
        yield "                type: object"
        yield "                properties:"
        for field in range(FIELDS):
            indent = " " * 20
            # A type by the sum of both numbers, but the two that are in use are a text and a number.
            kind = (0, 1)[field] if field < 2 else (group + field) % len(_PLAIN)
            yield f"                  field{field:02}:"
            yield f"{indent}description: |-"
            yield f"{indent}  Number {field} of part {group}."
            yield ""
            yield f"{indent}  Nothing else is known of it."
            yield f"{indent}{_PLAIN[kind].format(indent, indent)}"


_HEAD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: probers.monitor.acme.example
spec:
  group: monitor.acme.example
  names: {kind: Prober, plural: probers, shortNames: [prb]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            properties:
              replicas: {type: integer, format: int32, default: 1}
              paused: {type: boolean}
              retention: {type: string, default: 24h, pattern: '^[0-9]+(h|d)$'}
              selector:
                type: object
                x-kubernetes-map-type: atomic
                properties:
                  matchLabels: {type: object, additionalProperties: {type: string}}
                  matchExpressions:
                    type: array
                    x-kubernetes-list-type: atomic
                    items:
                      type: object
                      required: [key, operator]
                      properties:
                        key: {type: string}
                        operator: {type: string}
                        values: {type: array, items: {type: string}, x-kubernetes-list-type: atomic}
              containers:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string}
                    image: {type: string}
                    env:
                      type: array
                      x-kubernetes-list-type: map
                      x-kubernetes-list-map-keys: [name]
                      items:
                        type: object
                        required: [name]
                        properties: {name: {type: string}, value: {type: string, default: ""}}
                    resources:
                      type: object
                      properties:
                        limits: &quantities
                          type: object
                          additionalProperties:
                            anyOf: [{type: integer}, {type: string}]
                            pattern: '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$'
                            x-kubernetes-int-or-string: true
                        requests: *quantities
              # What follows is what makes it large.
"""

if __name__ == "__main__":
    print(big_definition(), end="")
