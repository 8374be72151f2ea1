"""The daemon's resident process does not pay for the planner: its arrays and its solver come with a plan only."""

import subprocess
import sys

import pytest

_PROGRAM = """
import importlib, pkgutil, sys
import reconciler
for package in {packages}:
    module = importlib.import_module("reconciler." + package)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        importlib.import_module(found.name)
print(sorted({{"numpy", "highspy", "ortools", "numba"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "packages", [("cli.main", "cli.planned", "model", "render.draft"), ("daemon", "engine", "cluster", "render")]
)
def test_nothing_resident_imports_arrays_or_solver(packages: tuple[str, ...]) -> None:
    program = _PROGRAM.format(packages=list(packages))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_plan_brings_them() -> None:
    """So that the test above would notice."""
    program = _PROGRAM.format(packages=["planner.plan"])
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['highspy', 'numpy']"
