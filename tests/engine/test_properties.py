"""Whatever the specs: what is applied is what Git states, a second look finds nothing, a preview tells the truth."""

from typing import Any

import yaml
from amount import examples
from hypothesis import given
from hypothesis import strategies as st
from stated_planning import StatedPlanning
from texts import NAMESPACE
from virtual import virtual
from world import World, world

from reconciler.engine.preview import preview
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import PruneGuard
from reconciler.model.filled import Preference, Record
from reconciler.model.result import Outcome, SyncResult

NAMES = st.sampled_from(["web", "api", "cart"])
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
QUANTITY = st.sampled_from(["100m", "0.1", "1", "1.5", "250m"])
MEMORY = st.sampled_from(["64Mi", "67108864", "1Gi", "1024Mi", "0.5Gi"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


CONTAINER = {
    "command": st.lists(st.sampled_from(["serve", "--verbose", "x"]), min_size=1, max_size=2),
    "env": st.dictionaries(st.sampled_from(["A", "B", "C"]), TEXT, max_size=3),
    "workingDir": st.sampled_from(["/srv", "/app"]),
    "terminationGracePeriodSeconds": st.integers(0, 60),
    "resources": st.builds(lambda c, m: {"requests": {"cpu": c, "memory": m}}, QUANTITY, MEMORY),
    "securityContext": st.just({"readOnlyRootFilesystem": True}),
    "placement": optional(
        nodeSelector=st.dictionaries(st.sampled_from(["disk", "arch"]), st.sampled_from(["ssd", "arm64"]), max_size=2),
        tolerations=st.lists(st.just({"key": "spot", "operator": "Exists", "effect": "NoSchedule"}), max_size=1),
    ),
    "volumes": st.just([{"name": "tmp", "mountPath": "/tmp", "emptyDir": {"sizeLimit": "1Gi"}}]),
}
DEPLOYMENT = st.builds(
    lambda spec, more: {**spec, **more},
    optional(
        replicas=st.integers(0, 4),
        rollout=optional(maxSurge=st.sampled_from([1, "25%", "50%"]), progressDeadlineSeconds=st.integers(60, 600)),
        **CONTAINER,
    ),
    st.one_of(
        st.just({}),
        st.builds(
            lambda port, probe: {
                "ports": [{"name": "http", "containerPort": port}],
                "expose": [{"port": 80, "targetPort": "http"}],
                **({"readinessProbe": {"httpGet": {"path": "/", "port": "http"}}} if probe else {}),
            },
            st.integers(1024, 9000),
            st.booleans(),
        ),
    ),
)
TASK = optional(retries=st.integers(0, 3), parallelism=st.integers(1, 3), timeout=st.just("90s"), **CONTAINER)
CONFIG = st.dictionaries(st.sampled_from(["a", "b", "c"]), TEXT, max_size=3)


def ours(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    image = f"example.com/{name}:1"
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"image": image, **spec},
    }


def plain(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


REPOSITORIES = st.builds(
    lambda deployments, tasks, configs: {
        **{f"{n}.yaml": yaml.safe_dump(ours("Deployment", n, s)) for n, s in deployments.items()},
        **{f"task-{n}.yaml": yaml.safe_dump(ours("Task", n, {"command": ["run"], **s})) for n, s in tasks.items()},
        **{f"config-{n}.yaml": yaml.safe_dump(plain(n, d)) for n, d in configs.items()},
    },
    st.dictionaries(NAMES, DEPLOYMENT, max_size=3),
    st.dictionaries(st.sampled_from(["migrate", "seed"]), TASK, max_size=2),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), CONFIG, max_size=3),
)


NO_ANSWER = Record("")
PLANNED = Record("any", (Preference(60, {"pool": "general"}, ("a",)),), ("zone",), {"cpu": "250m"}, 2)


async def foretold(w: World) -> dict[Identity, Change]:
    """What a preview of the newest commit says, by object."""
    reconciler = w.sources["shop"]
    poll = await w.repositories["shop"].poll()
    assert poll.snapshot is not None
    desired = await reconciler.wanted(poll.snapshot)
    state = await w.store.load("shop")
    changes = await preview(
        poll.snapshot,
        desired.specs,
        desired.manifests,
        cluster=w.cluster,
        config=reconciler.config,
        owner=reconciler.owner,
        state=state,
    )
    return {change.identity: change for change in changes if change.action not in (Action.NONE, Action.KEEP)}


def happened(result: SyncResult) -> dict[Identity, Action]:
    return {
        identity: each.action
        for identity, each in result.results.items()
        if each.action not in (Action.NONE, Action.KEEP)
    }


def told(changes: dict[Identity, Change]) -> dict[Identity, Action]:
    """An unconfirmed object is created once what it needs is there."""
    actions = {identity: change.action for identity, change in changes.items()}
    return {i: Action.CREATE if a is Action.UNCONFIRMED else a for i, a in actions.items()}


@examples(25)
@given(first=REPOSITORIES, second=REPOSITORIES, planned=st.sampled_from([None, NO_ANSWER, PLANNED]))
def test_any_two_commits_are_applied_as_foretold_and_a_second_look_finds_nothing(
    first: dict[str, str], second: dict[str, str], planned: Record | None
) -> None:
    @virtual
    async def scenario() -> None:
        async with world() as w:
            w.planning = None if planned is None else StatedPlanning(planned if planned.asked else None)
            repository = w.source(guard=PruneGuard(1000, 100))
            repository.commit({"namespace.yaml": NAMESPACE, **first})
            before = await foretold(w)
            result = await w.sync()
            assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome is not Outcome.DONE}
            assert happened(result) == told(before)

            repository.commit({**dict.fromkeys(first), **second})
            announced = await foretold(w)
            result = await w.sync()
            assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome is not Outcome.DONE}
            assert happened(result) == told(announced)

            await w.restart()
            left = await foretold(w)  # Jobs wait for those of the first commit: nobody runs their pods here
            assert {i for i, change in left.items() if (i.kind, change.action) != ("Job", Action.HOLD)} == set()

    scenario()
