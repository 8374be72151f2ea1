"""ARCHITECTURE.md names every room, and every module of the engine, which has the most."""

from pathlib import Path

import reconciler

ROOT = Path(reconciler.__file__).parent


def names(folder: Path) -> set[str]:
    """Of its modules, and of the folders that have any."""
    return {path.relative_to(folder).parts[0].removesuffix(".py") for path in folder.rglob("*.py")} - {"__init__"}


def test_every_room_has_a_place(page):
    rooms = page("ARCHITECTURE.md").sections()["Rooms"]
    assert {name for name in names(ROOT) if f"`{name}`" not in rooms} == set()


def test_every_module_of_the_engine_is_named_once(page):
    engine = page("ARCHITECTURE.md").sections()["The engine, by what its modules are for"]
    assert {name for name in names(ROOT / "engine") if engine.count(f"`{name}`") != 1} == set()
