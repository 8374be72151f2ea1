"""`reconciler review` as users run it: a process, beside a cluster and a forge over HTTP."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from gate import gate
from git_repository import Repository
from loopback import served
from memory_forge import ACCOUNT, TOKEN, MemoryForge
from processes import LIMIT, PATIENCE, Process, free_port
from texts import NAMESPACE, config

from reconciler.http.transport import Request
from reconciler.model.forging import ForgeKind

_OURS = ("host", "accept-encoding", "content-length")


def over_http(forge: MemoryForge) -> web.Application:
    """The forge, as strict as it is in memory."""

    async def answer(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _OURS}
        query = tuple(request.query.items())
        said = forge.answer(Request(request.method, request.rel_url.raw_path, query, headers, await request.read()))
        kept = {name: value for name, value in said.headers.items() if name != "content-type"}
        return web.Response(status=said.status, headers=kept, body=said.body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@pytest.mark.parametrize("kind", [ForgeKind.GITHUB, ForgeKind.GITLAB, ForgeKind.GITEA])
async def test_a_pull_request_is_reviewed_and_the_process_ends_when_it_is_told(tmp_path: Path, kind: ForgeKind) -> None:
    repository = Repository(tmp_path / "shop")
    repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")}, "Start")
    forge = MemoryForge.of(kind)
    forge.page = 100
    repo = forge.repository("shop/specs")
    repo.clone = str(repository.path)
    repo.branches["main"] = repository.git("rev-parse", "main")
    repository.git("checkout", "--quiet", "-b", "change")
    pull = repo.pull(7, head=repository.commit({"b.yaml": config("b")}))
    (tmp_path / "token").write_text(TOKEN)
    async with gate(tmp_path / "kubeconfig", nodes=False) as cluster, served(over_http(forge)) as url:
        named = {"name": "git", "kind": kind.value, "url": url, "tokenFile": str(tmp_path / "token")}
        stated = {
            "sources": [{"name": "shop", "url": str(repository.path), "namespace": "shop"}],
            "kubeconfig": str(tmp_path / "kubeconfig"),
            "stateNamespace": "default",
            "install": "prod",
            "cacheDir": str(tmp_path / "cache"),
            "listen": f"127.0.0.1:{free_port()}",
            "forges": [{**named, "repositories": ["shop/specs"]}],
        }
        file = tmp_path / "config.yaml"
        file.write_text(json.dumps(stated))
        with Process(["review", "--config", str(file)], tmp_path / "log") as running:
            end = asyncio.get_running_loop().time() + PATIENCE
            while repo.statuses.get((pull.head, "reconciler/prod/main"), {}).get("state") != "success":
                assert asyncio.get_running_loop().time() < end, (running.output, repo.statuses)
                await asyncio.sleep(0.02)
            (text,) = [comment["body"] for comment in pull.comments if comment["author"] == ACCOUNT]
            assert "ConfigMap/shop/b" in text
            assert await asyncio.to_thread(running.terminate) < LIMIT
            assert running.output == ""
        assert cluster.writes == []
