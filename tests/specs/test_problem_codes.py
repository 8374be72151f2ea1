"""docs/problems.md lists every code, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("specs", "render")
CODE_ARGUMENT = {"Finding": 0, "Fault": 0, "_fault": 0, "_note": 0, "Refusal": 0, "Problem": 1}


def emitted() -> Iterator[str]:
    for room in ROOMS:
        for path in sorted((ROOT / "reconciler" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                yield from codes(node)


def codes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in CODE_ARGUMENT:
            yield from words(args[CODE_ARGUMENT[name]]) if len(args) > CODE_ARGUMENT[name] else ()
        case ast.Assign(targets=[ast.Name(id="code")], value=value):
            yield from words(value)


def words(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(word)):
            yield word
        case ast.IfExp(body=body, orelse=orelse):
            yield from words(body)
            yield from words(orelse)


def documented() -> list[str]:
    return re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs/problems.md").read_text("utf-8"), re.MULTILINE)


def test_every_code_is_documented() -> None:
    assert set(emitted()) - set(documented()) == set()


def test_no_other_code_is_documented() -> None:
    assert set(documented()) - set(emitted()) == set()


def test_the_table_is_sorted() -> None:
    assert documented() == sorted(set(documented()))
