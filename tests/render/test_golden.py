"""What people read: the objects that specs become, as files.

    RECONCILER_GOLDEN=write python -m pytest tests/render/test_golden.py

writes them anew, but for pod-templates.json: that one is changed by hand, and its test says when.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.kube.openapi import catalog
from reconciler.kube.validate import unknown_fields, validate
from reconciler.render.stamp import canonical, sha256

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml") if ".rendered" not in path.name)
FILES = {"./config/web.conf": b"items = 24\n", "./config/logo.png": b"\x89PNG\r\n"}


def case(good: Any, name: str) -> Any:
    return good((GOLDEN / f"{name}.yaml").read_text(), path=f"{name}.yaml", files=FILES).manifests.items.values()


@pytest.mark.parametrize("name", CASES)
def test_specs_become_the_objects_in_the_golden_file(good: Any, name: str) -> None:
    shown = []
    for manifest in case(good, name):
        waits = [*(f"{i} there" for i in manifest.depends_on), *(f"{i} ready" for i in manifest.after)]
        head = f"# {manifest.identity}" + (f" waits for {', '.join(waits)}" if waits else "")
        shown.append(f"{head}\n{yaml.safe_dump(manifest.object, sort_keys=False, width=120)}")
    text = "---\n".join(shown)
    golden = GOLDEN / f"{name}.rendered.yaml"
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", CASES)
def test_objects_fit_kubernetes_schema(good: Any, name: str) -> None:
    for manifest in case(good, name):
        schema = catalog().schema(manifest.gvk)
        assert [str(v) for v in validate(manifest.object, schema)] == []
        assert unknown_fields(manifest.object, schema) == []


def test_rule_18_pod_templates_of_unchanged_specs_do_not_change(good: Any) -> None:
    """CHANGING THIS RESTARTS USERS' PODS when they upgrade. Change the file only for a release that says so."""
    found = {}
    for name in CASES:
        for manifest in case(good, name):
            template = manifest.object.get("spec", {}).get("template")
            if template is not None:
                found[f"{name}: {manifest.identity}"] = sha256(canonical(template))[:16]
    golden = json.loads((GOLDEN / "pod-templates.json").read_text())
    assert found == golden, f"changing this restarts users' pods; now it is {json.dumps(found, indent=2)}"
