"""The page of a real daemon in a real browser, while people change the cluster. It also takes the README's pictures:

RECONCILER_SCREENSHOTS=write .venv/bin/python -m pytest tests/page/test_live.py
"""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chromium import IDLE, Chromium, Tab
from gate import Gate, gate
from processes import DaemonProcess

from reconciler.http.transport import Request

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "images"
WRITES = os.environ.get("RECONCILER_SCREENSHOTS") == "write"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
TASK = """apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: reindex, namespace: shop}
spec: {image: "registry.example.com/shop/search:fail", command: [reindex], run: onChange, retries: 0}
"""


@dataclass
class Shop:
    """The example's shop, kept by a daemon: `web` is told of, not healed; `tools` has deletions that are held."""

    cluster: Gate
    daemon: DaemonProcess

    async def edit(self, path: str, body: Any, by: str = "kubectl-edit") -> None:
        """What somebody else does."""
        headers = {"content-type": "application/merge-patch+json"}
        query = (("fieldManager", by),)
        answer = await self.cluster.sandbox.handle(Request("PATCH", path, query, headers, json.dumps(body).encode()))
        assert answer.status == 200, answer.body


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    specs, tools = tmp_path / "shop", tmp_path / "platform"
    shutil.copytree(ROOT / "examples" / "repo", specs)
    commit(specs, {}, "The shop", by="Grace")
    web = (specs / "env/prod/web.yaml").read_text()
    alert = web.replace("namespace: shop}", "namespace: shop, annotations: {reconciler.dev/drift: alert}}", 1)
    first = commit(specs, {"env/prod/web.yaml": alert, "base/reindex.yaml": TASK}, "Web: tell of drift", by="Ada")
    maps = {f"{name}.yaml": config(name) for name in ("dns", "egress", "ingress", "logs", "quota", "traces", "vault")}
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: platform}\n"
    second = commit(tools, {"namespace.yaml": space, **maps}, "Settings of the platform", by="Grace")
    sources = [
        {"name": "shop", "url": str(specs), "paths": ["base", "env/prod"], "namespace": "shop", "interval": "1s"},
        {"name": "platform", "url": str(tools), "namespace": "platform", "interval": "1s"},
    ]
    async with gate(tmp_path / "kubeconfig", nodes=True) as cluster:
        with DaemonProcess(
            tmp_path / "daemon",
            sources,
            tmp_path / "kubeconfig",
            stateNamespace="default",
            install="prod-eu",
            images={"tags": "asStated"},
        ) as daemon:
            await asyncio.to_thread(daemon.until_synced, second)
            await asyncio.to_thread(daemon.until_heard, "sync-started", revision=first)
            last = commit(tools, dict.fromkeys(maps), "Move the settings elsewhere", by="Ada")
            await asyncio.to_thread(daemon.until_synced, last)
            await asyncio.to_thread(daemon.until, lambda: daemon.heard("degraded"), "the reindexing failed")
            yield Shop(cluster, daemon)


def commit(folder: Path, files: Mapping[str, str | None], message: str, *, by: str) -> str:
    """Write `files` (None removes one) and commit everything, now; returns the commit's id."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(content)
    roles = ("AUTHOR", "COMMITTER")
    who = {f"GIT_{role}_NAME": by for role in roles}
    who |= {f"GIT_{role}_EMAIL": f"{by.lower()}@example.com" for role in roles}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    around = {**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=folder, env=around, capture_output=True, text=True, check=True
        ).stdout

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "-m", message)
    return git("rev-parse", "HEAD").strip()


def config(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{settings: some}}\n"


async def picture(tab: Tab, name: str) -> None:
    """Keep what is to be seen, where that was asked for."""
    if WRITES:
        # A folder of this machine says nothing to a reader.
        await tab.run(
            "document.querySelectorAll('.url').forEach((each) => { each.textContent ="
            " `https://git.example.com/${each.textContent.split('/').pop()}.git`; })"
        )
        content = await tab.picture()
        assert len(content) <= 150_000, (name, len(content))
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(content)


async def test_what_people_do_is_told_to_the_page(chromium: Chromium, shop: Shop) -> None:
    text = "document.querySelector('main').textContent"
    async with chromium.tab(width=1280, height=900) as tab:
        await tab.open(shop.daemon.url)
        await tab.until("document.querySelector('header .chip').textContent === 'live'")
        for words in ("synced", "Web: tell of drift", "Ada", "reconciler prune", "degraded"):
            await tab.until(f"{text}.includes({words!r})")
        took = []
        for replicas in (4, 6, 5):
            start = time.monotonic()
            await shop.edit(WEB, {"spec": {"replicas": replicas}})
            await tab.until(f"document.querySelector('#drift .field ins')?.textContent === '{replicas}'")
            took.append(time.monotonic() - start)
        assert max(took) < IDLE / 2, "the page was told: nobody waited for it to look by itself"
        await tab.until("document.querySelector('#drift').textContent.includes('kubectl-edit')")
        await tab.until("document.querySelector('#drift').textContent.includes('env/prod/web.yaml:')")
        assert tab.complaints == []
        await picture(tab, "status-page")

    container = {"name": "web", "image": "registry.example.com/shop/web:debug"}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    body = json.dumps(patch).encode()
    headers = {"content-type": "application/strategic-merge-patch+json"}
    await shop.cluster.sandbox.handle(Request("PATCH", WEB, (("fieldManager", "kubectl-set"),), headers, body))
    async with chromium.tab(width=390, height=844, scripts=False) as phone:
        await phone.colours("dark")
        await phone.open(f"{shop.daemon.url}/objects/Deployment/shop/web")
        words = await phone.run(text)
        assert "kubectl-edit" in words
        assert "3" in words
        await phone.open(f"{shop.daemon.url}/drift")
        await picture(phone, "status-page-phone")
    async with chromium.tab(width=1280, height=560) as tab:
        await tab.open(f"{shop.daemon.url}/drift")
        await tab.until(f"{text}.includes('shop/web:debug')")
        await picture(tab, "drift")
