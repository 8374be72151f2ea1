"""docs/review-tutorial.md: what is typed there gives the comment that is shown there."""

import os
import re
import subprocess
from pathlib import Path

from processes import COMMAND

PAGE = Path(__file__).resolve().parents[2] / "docs" / "review-tutorial.md"


def blocks(fence: str, language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^{fence}{language}\n(.*?)^{fence}$", text, re.MULTILINE | re.DOTALL)


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    who = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com"}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    path = f"{Path(COMMAND).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_comment_is_the_one_that_is_shown(tmp_path: Path) -> None:
    (script,) = blocks("````", "sh")
    (comment,) = blocks("````", "markdown")
    done = shell(script, tmp_path)
    assert done.returncode == 2, done.stderr
    said = done.stdout[done.stdout.index("## ") :]
    assert re.sub(r"\b[0-9a-f]{12}\b", "c0ffee123456", said).rstrip() == comment.rstrip()


def test_the_rules_block_it_from_the_base_and_count_for_nothing_on_the_branch(tmp_path: Path) -> None:
    (script,) = blocks("````", "sh")
    (rules,) = blocks("```", "yaml")
    plan = script.rstrip().rpartition("\n")[2]
    assert shell(script, tmp_path).returncode == 2
    shop = tmp_path / "shop"
    (shop / "reconciler.yaml").write_text(rules)
    assert shell(f"git add --all && git commit --quiet -m Rules && {plan}", shop).returncode == 2
    onto = f"git checkout --quiet main && git cherry-pick busy-weekend && git checkout --quiet busy-weekend && {plan}"
    blocked = shell(onto, shop)
    assert blocked.returncode == 1, blocked.stderr
    assert "Blocked by 1 danger" in blocked.stdout
