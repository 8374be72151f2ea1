"""Label selectors and field selectors, as text in a query and as JSON in an object."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

_REQUIREMENT: Final = re.compile(
    r"\s*(?:"
    r"(?P<absent>!)\s*(?P<missing>[^\s!=<>,()]+)"
    r"|(?P<key>[^\s!=<>,()]+)\s*"
    r"(?:(?P<operator>==|!=|=|<|>)\s*(?P<value>[^\s!=<>,()]*)"
    r"|(?P<word>in|notin)\s*\(\s*(?P<values>[^()!=<>]*)\))?"
    r")\s*(?:,|$)"
)
_KEY: Final = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


class Requirement(NamedTuple):
    """One condition on one label. A missing label satisfies NOT_IN."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        match self.operator:
            case Operator.IN:
                return present and labels[self.key] in self.values
            case Operator.NOT_IN:
                return not present or labels[self.key] not in self.values
            case Operator.EXISTS:
                return present
            case Operator.DOES_NOT_EXIST:
                return not present
        try:
            (bound,) = (int(value) for value in self.values)
            number = int(labels[self.key])
        except (KeyError, ValueError):
            return False
        return number > bound if self.operator is Operator.GREATER else number < bound


class LabelSelector(NamedTuple):
    """All requirements must hold; none matches everything, unless `nothing`."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @classmethod
    def parse(cls, text: str) -> "LabelSelector":
        """`app=web,tier in (a, b),!old`. ValueError where malformed."""
        requirements = []
        position = 0
        while text[position:].strip():
            match = _REQUIREMENT.match(text, position)
            if match is None or (text[match.end() - 1] == "," and not text[match.end() :].strip()):
                raise ValueError(f"unable to parse label selector: {text!r}")
            requirements.append(_checked(_requirement(match)))
            position = match.end()
        return cls(tuple(requirements))

    @classmethod
    def of(cls, selector: Mapping[str, Any] | None) -> "LabelSelector":
        """Of `{matchLabels, matchExpressions}`: None selects nothing, an empty one everything.

        ValueError where malformed.
        """
        if selector is None:
            return cls(nothing=True)
        labels = selector.get("matchLabels") or {}
        requirements = [Requirement(key, Operator.IN, frozenset((str(labels[key]),))) for key in sorted(labels)]
        for expression in selector.get("matchExpressions") or ():
            values = frozenset(expression.get("values") or ())
            requirements.append(
                Requirement(str(expression.get("key") or ""), Operator(expression.get("operator")), values)
            )
        return cls(tuple(_checked(requirement) for requirement in requirements))

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        labels = labels or {}
        return not self.nothing and all(requirement.matches(labels) for requirement in self.requirements)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["missing"], Operator.DOES_NOT_EXIST)
    key = match["key"]
    if match["word"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(key, Operator.IN if match["word"] == "in" else Operator.NOT_IN, values)
    if not match["operator"]:
        return Requirement(key, Operator.EXISTS)
    operator = {"!=": Operator.NOT_IN, "<": Operator.LESS, ">": Operator.GREATER}.get(match["operator"], Operator.IN)
    return Requirement(key, operator, frozenset((match["value"],)))


def _checked(requirement: Requirement) -> Requirement:
    if not _KEY.fullmatch(requirement.key):
        raise ValueError(f"invalid label key: {requirement.key!r}")
    if requirement.operator in (Operator.GREATER, Operator.LESS):
        if not all(value.lstrip("-").isdigit() for value in requirement.values):
            raise ValueError(f"{requirement.key}: {requirement.operator.value} needs an integer")
    elif requirement.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
        if requirement.values:
            raise ValueError(f"{requirement.key}: {requirement.operator.value} takes no values")
    elif not requirement.values:
        raise ValueError(f"{requirement.key}: {requirement.operator.value} needs values")
    for value in requirement.values:
        if not _VALUE.fullmatch(
            value.lstrip("-") if requirement.operator in (Operator.GREATER, Operator.LESS) else value
        ):
            raise ValueError(f"invalid label value: {value!r}")
    return requirement


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Conditions on single fields: (path, value, whether it must be equal). An absent field reads as ""."""

    conditions: tuple[tuple[str, str, bool], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "FieldSelector":
        """`metadata.name=web,status.phase!=Running`. ValueError where malformed."""
        conditions = []
        for part in _split(text):
            path, operator, value = _condition(part)
            if not path:
                raise ValueError(f"invalid field selector: {text!r}")
            conditions.append((path.strip(), value, operator != "!="))
        return cls(tuple(conditions))

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields it asks about; an API server refuses those that a kind does not index."""
        return tuple(path for path, _, _ in self.conditions)

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return all((_text(obj, path) == value) is wanted for path, value, wanted in self.conditions)


def _split(text: str) -> list[str]:
    """At commas that no backslash escapes."""
    return [part for part in re.split(r"(?<!\\),", text) if part]


def _condition(part: str) -> tuple[str, str, str]:
    match = re.match(r"([^=!]*)(==|!=|=)(.*)", part, re.DOTALL)
    if match is None:
        raise ValueError(f"invalid field selector: {part!r}")
    return match[1], match[2], re.sub(r"\\([\\,=])", r"\1", match[3])


def _text(obj: Mapping[str, Any], path: str) -> str:
    node: Any = obj
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    if isinstance(node, bool):
        return "true" if node else "false"
    return "" if node is None else str(node)
