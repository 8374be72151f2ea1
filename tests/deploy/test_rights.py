"""The rights of deploy/review, on a real API server: enough to review, and not to do anything else."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from git_repository import Repository
from kubernetes_server import KubernetesServer
from tenancy import everywhere, known, tenancy
from texts import config, deployment

from reconciler.clock import SystemClock
from reconciler.daemon.reviews.live import ReadStore, SourceReviewer
from reconciler.engine.trial import Trials
from reconciler.errors import Forbidden
from reconciler.model.config import SourceConfig
from reconciler.model.planner_config import PlannerConfig
from reconciler.source.repository import GitSource

ACCESS = Path(__file__).resolve().parents[2] / "deploy" / "review" / "10-access.yaml"


def rules(kind: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all(ACCESS.read_text(encoding="utf-8"))
    return list(next(document for document in documents if document["kind"] == kind)["rules"])


def test_they_do_for_a_review_and_for_nothing_else(kubernetes: KubernetesServer, tmp_path: Path) -> None:
    before: dict[str, str | bytes | None] = {"a.yaml": config("a"), "old.yaml": config("old")}
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: canary-4711}\n"

    async def scenario() -> None:
        async with tenancy(kubernetes, rules("Role")) as (admin, reader), everywhere(admin, rules("ClusterRole")):
            await known(reader, rules("ClusterRole"))
            daemon = admin.source(install="prod")
            daemon.commit({name: str(text) for name, text in before.items()})
            assert (await admin.sync()).ok
            git = Repository(tmp_path / "shop")
            base = git.commit(before, "Start")
            head = git.commit(
                {
                    "a.yaml": config("a", "2"),
                    "b.yaml": config("b"),
                    "old.yaml": None,
                    "s.yaml": secret,
                    "w.yaml": deployment(),
                },
                "Change",
            )
            source = SourceConfig(name=admin.name("shop"), url=str(git.path), namespace=admin.space)
            mirror = GitSource(source, tmp_path / "cache", clock=SystemClock(), random=Random(7))
            store = ReadStore(reader.cluster, admin.states, clock=SystemClock())
            trials = Trials(PlannerConfig(), reader.cluster, admin.states, clock=SystemClock())
            reviewer = SourceReviewer(source, mirror, reader.cluster, store, "prod", trials=trials)
            try:
                review = await reviewer.review(base, head, fork=False)
                text = review.markdown(65_000)
            finally:
                await reviewer.close()
            actions = {f"{d.identity.kind}/{d.identity.name}": str(d.action) for d in review.promise.merged}
            assert actions == {
                "ConfigMap/a": "update", "ConfigMap/b": "create", "ConfigMap/old": "prune", "Secret/s": "create",
                "Deployment/web": "create", "PodDisruptionBudget/web": "create",
            }, text  # fmt: skip
            assert "the live state may not be read" in text, "of Secrets"
            assert "canary-4711" not in text
            assert "Planned otherwise: 1 workload" in text
            with pytest.raises(Forbidden):
                await reader.cluster.delete(next(iter(admin.cluster.cache.of_source(source.name))))

    kubernetes.run(scenario())
