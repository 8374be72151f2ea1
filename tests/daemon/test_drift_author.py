"""A drift is healed and told with both authors: who did it, and who wanted it otherwise."""

import io
import json
from pathlib import Path

from git_repository import Repository
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import daemon

from reconciler.clock import LoopClock
from reconciler.daemon.log import log_to_stderr
from reconciler.http.transport import Request
from reconciler.model.config import SourceConfig
from reconciler.model.event import EventType
from reconciler.sandbox.server import Sandbox


@virtual
async def test_each_drift_is_told_with_the_commit_that_wanted_it_otherwise(tmp_path: Path) -> None:
    repository, sandbox = Repository(tmp_path / "shop"), Sandbox(clock=LoopClock())
    repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")}, "First")
    commit = repository.commit({"a.yaml": config("a", "2")}, "Second")
    source = SourceConfig(name="shop", url=str(repository.path), namespace="shop")
    async with daemon(sandbox.transport(), sources=[source], cache=tmp_path / "cache", install="test") as running:
        await running.until(lambda: running.synced(commit))
        body = b'{"data":{"value":"by hand"}}'
        headers = {"content-type": "application/merge-patch+json"}
        path = "/api/v1/namespaces/shop/configmaps/a"
        request = Request("PATCH", path, (("fieldManager", "somebody"),), headers, body)
        assert (await sandbox.handle(request)).status == 200
        await running.until(lambda: running.heard(EventType.HEALED))
    told, healed = (e for e in running.events if e.type in (EventType.DRIFTED, EventType.HEALED))
    assert told.drift is not None
    assert healed.drift is not None
    (field,) = told.drift.fields
    assert [author.manager for author in field.by] == ["somebody"]
    (wanted,) = told.drift.wanted
    assert healed.drift.wanted == (wanted,)
    assert wanted.revision is not None
    assert (wanted.path, wanted.revision.commit, wanted.revision.subject) == ("a.yaml", commit, "Second")

    lines = (repository.path / "a.yaml").read_text().splitlines()
    assert "value: '2'" in lines[wanted.line - 1]
    out = io.StringIO()
    log_to_stderr("text", out)(told)
    said = (
        f"data.value is by hand, Git states 2 (by somebody); wanted in a.yaml:{wanted.line} by Ada in {commit[:12]}\n"
    )
    assert said in out.getvalue()
    out = io.StringIO()
    log_to_stderr("json", out)(told)
    (place,) = json.loads(out.getvalue())["wanted"]
    assert (place["path"], place["line"], place["author"]) == ("a.yaml", wanted.line, "Ada <ada@example.com>")
