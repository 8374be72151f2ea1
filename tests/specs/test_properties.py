"""Whatever the files hold, the Loader answers; what is right comes back as it was written."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.problem import Severity
from reconciler.model.spec import DeploymentSpec, ObjectSpec, Specs, TaskSpec
from reconciler.specs.limits import Limits
from reconciler.specs.load import Loader
from reconciler.specs.overlay import without_nulls
from reconciler.specs.read import places, read, split_lines
from reconciler.specs.scalars import NotJson, resolve

SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
)


class Dumper(yaml.SafeDumper):
    """PyYAML, which takes `0E0` for a text and writes it as it stands; to kubectl and to us it is a number."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    try:
        style = None if isinstance(resolve(text), str) else '"'
    except NotJson:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=Dumper, allow_unicode=True)


FRAGMENTS = st.sampled_from(
    [
        "apiVersion: v1\n",
        "apiVersion: reconciler.dev/v1\n",
        "kind: ConfigMap\n",
        "kind: Deployment\n",
        "kind: Secret\n",
        "kind: List\n",
        "metadata: {name: a}\n",
        "metadata: {name: a, namespace: b}\n",
        "metadata:\n  name: a\n",
        "data: {a: b}\n",
        "data: no\n",
        "spec: {image: web, files: {/a: ./b}, dependsOn: [Task/x, Image/web]}\n",
        "spec: {image: 1, replicas: x}\n",
        "items:\n- a: 1\n",
        "---\n",
        "---\n",
        "--- # c\n",
        "...\n",
        "  ",
        "- ",
        ": ",
        "\t",
        "&a ",
        "*a ",
        "<<: *a\n",
        "!x ",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "|\n",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "é",
        "\U0001f600",
        "0777",
        ".nan",
        "12:30",
        "$patch: delete\n",
        "null",
        "?",
        "%YAML 1.1\n",
        "\x00",
    ]
)
SOUP = st.lists(FRAGMENTS | TEXTS, max_size=25).map("".join)


def loaded(
    repository: Any, files: dict[str, Any], paths: tuple[str, ...] = (".",), limits: Limits | None = None
) -> Specs:
    found = repository(files, paths)
    loader = Loader(limits=limits or Limits())
    return asyncio.run(loader.load(found.snapshot(), found, namespace="default"))


def consistent(specs: Specs, files: dict[str, Any]) -> None:
    """What holds for every answer."""
    assert not specs.quarantined & specs.documents.keys()
    errors = [problem for problem in specs.problems if problem.severity is Severity.ERROR]
    assert bool(errors) or not (specs.quarantined or specs.unknown)
    assert list(specs.problems) == sorted(specs.problems, key=lambda p: p.location)
    assert all(problem.code and problem.message for problem in specs.problems)
    assert {problem.identity for problem in errors} - {None} <= specs.quarantined
    for problem in specs.problems:
        for place in (problem.location, *problem.also):
            if place.line:
                text = files[place.path]
                text = text if isinstance(text, str) else text.decode("utf-8", "replace")
                assert place.line <= len(split_lines(text)) + 1


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
@given(st.binary(max_size=200))
@SETTINGS
def test_bytes_never_raise(repository: Any, name: str, content: bytes) -> None:
    consistent(loaded(repository, {name: content}), {name: content})


@given(SOUP, SOUP)
@example("apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {image: web, replicas: 3.0}", "")
@example("apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {image: web}", "$patch: delete")
@SETTINGS
def test_texts_never_raise(repository: Any, base: str, over: str) -> None:
    files = {"base/a.yaml": base, "prod/a.yaml": over, "base/b": "x"}
    consistent(loaded(repository, files, ("base", "prod")), files)


@given(
    st.sampled_from(
        [
            "v1/ConfigMap",
            "apps/v1/Deployment",
            "v1/Pod",
            "reconciler.dev/v1/Deployment",
            "reconciler.dev/v1/Task",
            "x.y/v1/Z",
        ]
    ),
    VALUES,
    VALUES,
    VALUES,
)
@SETTINGS
def test_any_value_in_any_place_never_raises(repository: Any, kind: str, spec: Any, metadata: Any, patch: Any) -> None:
    api_version, _, kind = kind.rpartition("/")
    named = {**(metadata if isinstance(metadata, dict) else {}), "name": "a"}
    base = {"apiVersion": api_version, "kind": kind, "metadata": named, "spec": spec, "data": metadata}
    over = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": patch}
    files = {"base/a.json": json.dumps(base), "prod/a.json": json.dumps(over)}
    consistent(loaded(repository, files, ("base", "prod")), files)


@given(VALUES)
@example("0E0")
@example({"1e5": ["+.inf", "0b1"]})
@SETTINGS
def test_json_values_come_back_through_yaml_and_json(value: Any) -> None:
    texts = {False: dumped(value), True: json.dumps(value)}
    for is_json, text in texts.items():
        found = read(text, Limits(), json=is_json)
        assert found.fault is None
        assert [doc.value for doc in found.docs] == ([] if value is None else [value])


@given(VALUES)
@SETTINGS
def test_places_lead_to_every_value(value: Any) -> None:
    text = json.dumps(value, indent=1)
    lines = text.split("\n")

    def walk(inner: Any, path: tuple[str | int, ...], found: Any) -> None:
        if path:
            place = found[path].value
            at = lines[place.line - 1][place.column - 1 :]
            assert at.startswith({dict: "{", list: "["}.get(type(inner), json.dumps(inner)))
        for step, child in (
            inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        ):
            walk(child, (*path, step), found)

    for is_json in (True, False):
        if is_json or (text.isascii() and "\\u" not in text and not any(len(line) > 900 for line in lines)):
            for found in places(text, Limits(), json=is_json):
                walk(value, (), found)


@given(VALUES)
@SETTINGS
def test_without_nulls_changes_nothing_else(value: Any) -> None:
    cleaned = without_nulls(value)
    assert without_nulls(cleaned) is cleaned
    if "null" not in json.dumps(value):
        assert cleaned is value


LITERALS = st.from_regex(r"[a-z0-9.]{1,10}", fullmatch=True)
WORKLOAD = {
    "image": st.just("r.example.com/web:1"),
    "command": st.lists(TEXTS, max_size=2),
    "env": st.dictionaries(
        NAMES,
        LITERALS | st.integers(-9, 9) | st.booleans() | NAMES.map(lambda n: {"secretKeyRef": {"name": n, "key": n}}),
        max_size=3,
    ),
    "ports": st.lists(st.integers(1, 65535), max_size=3, unique=True).map(
        lambda ports: [{"containerPort": port} for port in ports]
    ),
    "volumes": st.lists(NAMES, max_size=2, unique=True).map(
        lambda names: [{"name": n, "mountPath": f"/{n}", "emptyDir": {}} for n in names]
    ),
    "resources": st.just({"requests": {"cpu": "250m", "memory": 1024}}),
    "readinessProbe": st.just({"httpGet": {"path": "/", "port": 80}}),
    "placement": st.just({"nodeSelector": {"a": "b"}}),
    "terminationGracePeriodSeconds": st.integers(0, 600),
}
DEPLOYMENT = {
    **WORKLOAD,
    "replicas": st.integers(0, 100),
    "rollout": st.fixed_dictionaries({}, optional={"maxSurge": st.just("25%"), "maxUnavailable": st.integers(0, 3)}),
    "expose": st.lists(st.integers(1, 65535), max_size=2, unique=True).map(
        lambda ports: [{"port": port, "host": "a.b"} for port in ports]
    ),
}
TASK = {
    **WORKLOAD,
    "retries": st.integers(0, 9),
    "timeout": st.sampled_from(["90s", "1h30m"]),
    "suspend": st.booleans(),
}


def specs_of(fields: dict[str, Any]) -> Any:
    rest = {name: value for name, value in fields.items() if name != "image"}
    return st.fixed_dictionaries({"image": fields["image"]}, optional=rest)


@given(
    NAMES,
    st.tuples(st.just("Deployment"), specs_of(DEPLOYMENT)) | st.tuples(st.just("Task"), specs_of(TASK)),
    st.booleans(),
)
@SETTINGS
def test_a_valid_spec_comes_back_as_it_was_written(
    repository: Any, name: str, kind_and_spec: Any, as_json: bool
) -> None:
    kind, spec = kind_and_spec
    document = {"apiVersion": "reconciler.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    files = {"a.json": json.dumps(document)} if as_json else {"a.yaml": dumped(document)}
    specs = loaded(repository, files)
    assert specs.problems == ()
    found = specs.documents[Identity("reconciler.dev", kind, "default", name)]
    struct = DeploymentSpec if kind == "Deployment" else TaskSpec
    assert found.spec == msgspec.convert(spec, struct)
    assert _stated(json.loads(msgspec.json.encode(found.spec))) == _stated(spec)


def _stated(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if value not in ([], {})}


@given(NAMES, st.dictionaries(NAMES, TEXTS, max_size=3), st.integers(0, 5))
@SETTINGS
def test_any_other_object_comes_back_as_it_was_written(
    repository: Any, name: str, data: dict[str, str], blank: int
) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "x"}, "data": data}
    text = "\n" * blank + dumped(obj)
    specs = loaded(repository, {"a.yaml": text})
    document = specs.documents[Identity("", "ConfigMap", "x", name)]
    assert document.spec == ObjectSpec(obj)
    assert document.origin.line == blank + 1
    assert GroupVersionKind.of(obj).kind == "ConfigMap"


@given(
    st.lists(st.sampled_from(["a: 1", "b: [x]", "c: {d: e}", "", "# c", "  "]), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
)
@SETTINGS
def test_an_error_points_at_its_line(repository: Any, above: list[str], end: str) -> None:
    head = ["apiVersion: reconciler.dev/v1", "kind: Deployment", "metadata: {name: web}", "spec:", "  image: a:1"]
    comments = [line if line.strip().startswith("#") or not line.strip() else f"# {line}" for line in above]
    text = end.join([*comments, *head, *comments, "  replicas: three", ""])
    (problem,) = loaded(repository, {"a.yaml": text}).problems
    assert (problem.location.line, problem.location.column) == (2 * len(above) + 6, 13)
    assert problem.excerpt == "  replicas: three"
