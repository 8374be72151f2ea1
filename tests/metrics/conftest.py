"""Prometheus as Debian packages it, and the metrics that docs/metrics.md promises."""

import re
from pathlib import Path

import pytest
from debian import program, required, shared

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Skips where there is none; a failure where a machine of CI could have installed it."""
    return required(program("promtool", "prometheus", shared(tmp_path_factory, worker_id), service=True))


@pytest.fixture(scope="session")
def documented() -> frozenset[str]:
    """The names of all series. That the page is right is tested in tests/docs."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `((?:reconciler|process)_\w+)` \| (\w+) \|", text, re.MULTILINE)
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return frozenset(name + suffix for name, kind in rows for suffix in suffixes.get(kind, ("",)))
