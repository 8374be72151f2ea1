"""Input that is meant to cost much, or to say much, costs and says little.

Each of these took minutes with a naive way of doing it; the limits here are those of a slow machine.
"""

import time

import pytest

OURS = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  image: a:1\n"
TASK = "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: t%d}\nspec: {image: '%s', dependsOn: [%s]}\n"
SECONDS = 10


@pytest.fixture(autouse=True)
def soon():
    start = time.process_time()  # not the clock: others may be busy
    yield
    assert time.process_time() - start < SECONDS


def test_many_unknown_fields(load) -> None:
    fields = "".join(f"  imag{n}: 1\n" for n in range(20_000))
    assert 0 < len(load(OURS + fields).problems) <= 400
    assert (
        0
        < len(load("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: []\n" + fields).problems)
        <= 400
    )


def test_many_bad_labels(load) -> None:
    labels = "".join(f"    a b{n}: c d\n" for n in range(20_000))
    assert len(load("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  labels:\n" + labels).problems) <= 400


def test_many_duplicate_keys(load) -> None:
    (*problems,) = load("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n" + "data: {}\n" * 20_000).problems
    assert len(problems) == 100


def test_many_references_that_lead_nowhere(load) -> None:
    text = "---\n".join(TASK % (n, "redis", f"Task/x{n}") for n in range(1_500))
    assert len(load(text).quarantined) == 1_500


def test_many_words_that_are_no_image(load) -> None:
    images = "apiVersion: reconciler.dev/v1\nkind: Image\nmetadata: {name: web%d}\nspec: {repository: a, tag: b}\n"
    text = "---\n".join([*(TASK % (n, "redis", "") for n in range(1_500)), *(images % n for n in range(1_500))])
    assert not load(text).problems


def test_a_broken_overlay_that_is_hard_to_guess(load) -> None:
    overlay = "kind: ConfigMap\nmetadata:\n" + (" " * 40 + "x\n") * 20_000 + "}{: "
    specs = load({"base/a.yaml": OURS, "prod/a.yaml": overlay}, ["base", "prod"])
    assert {identity.name for identity in specs.quarantined} == {"web"}


def test_many_broken_files(load) -> None:
    files = {f"base/{n}.yaml": TASK % (n, "a:1", "") for n in range(300)} | {
        f"prod/{n}.yaml": "a: b: c" for n in range(300)
    }
    assert len(load(files, ["base", "prod"]).quarantined) == 300


EVERYWHERE = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: TEXT, labels: {a: TEXT}}
spec:
  image: TEXT
  expose: [{port: 1, host: TEXT, name: TEXT}]
  dependsOn: [TEXT]
  ports: [{containerPort: 1, name: TEXT}]
  resources: {limits: {cpu: TEXT}}
  env: {? TEXT : TEXT}
  files: {? TEXT : TEXT}
---
{apiVersion: TEXT, kind: TEXT, metadata: {name: TEXT}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: TEXT, annotations: {reconciler.dev/depends-on: TEXT}}
"""


@pytest.mark.parametrize("text", ["a" * 200_000 + "!", "-" * 200_000, "a-" * 100_000, "a." * 100_000, "/" * 100_000])
def test_long_words_everywhere(load, text: str) -> None:
    specs = load(EVERYWHERE.replace("TEXT", f'"{text}"') + "---\n" + EVERYWHERE.replace("TEXT", f'"{text}"'))
    assert specs.problems
    assert all(len(line) < 1_500 for problem in specs.problems for line in problem.lines())
