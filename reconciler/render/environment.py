"""The `env` map of a spec as the list that Kubernetes wants."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

_REFERENCE: Final = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


def environment(env: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a variable, by name; a variable comes after those that its value refers to.

    Kubernetes expands `$(NAME)` only where NAME stands earlier in the list, so plain sorting would break
    `URL: http://$(HOST)/` or not, depending on its name. Numbers and booleans are written as JSON writes them; an
    object is a `valueFrom`.
    """
    ordered: dict[str, Any] = {}

    def place(name: str, above: tuple[str, ...]) -> None:
        if name in ordered or name in above:  # a circle cannot be expanded anyway
            return
        for other in sorted(_referred(env[name]) & env.keys()):
            place(other, (*above, name))
        ordered[name] = env[name]

    for name in sorted(env):
        place(name, ())
    return [_entry(name, value) for name, value in ordered.items()]


def _referred(value: Any) -> set[str]:
    if not isinstance(value, str):
        return set()
    return {match[1] for match in _REFERENCE.finditer(value) if match[1]}


def _entry(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"name": name, "valueFrom": dict(value)}
    return {"name": name, "value": value if isinstance(value, str) else msgspec.json.encode(value).decode()}
