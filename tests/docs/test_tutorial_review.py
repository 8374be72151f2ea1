"""The tutorial on reviews: its commands are run, and what it shows is what they print."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = {f"GIT_{who}_{what}": "ann@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def test_the_tutorial_tells_what_happens(page, tmp_path):
    page = page("docs/tutorial-review.md")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        **NAMES,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }

    def run(block, folder):
        command = ["bash", "-eu", "-c", block]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    start, change, plan, approved = page.blocks("sh")
    shop = tmp_path / "shop"
    assert run(start, tmp_path) == (0, "")
    assert run(change, shop) == (0, "")
    code, shown = run(plan, shop)
    (comment,) = re.findall(r"^````markdown\n(.*?)^````$", page.text, re.MULTILINE | re.DOTALL)
    assert (code, re.sub(r"[0-9a-f]{12}", "…", shown)) == (1, comment)
    code, shown = run(approved, shop)
    assert (code, json.loads(shown)["verdict"]) == (2, "warn")
