"""Sequences of calls as people and programs might make them, and more foolish ones; played on two servers at once."""

import copy
import json
import time
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agreement import differences
from generated_kinds import KINDS, METADATA, Kind, Menu, Object
from hypothesis import strategies as st
from sandbox_api import APPLY, CRDS, JSON_PATCH, MERGE, STRATEGIC, Answer, Api

_JSON: Final = "application/json"
_CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_SETTLED_WITHIN: Final = 10.0  # seconds for a definition to be accepted or gone


@dataclass(frozen=True)
class Step:
    """One call. With `live`, its body is the object that is there with `edits`; "{uid}" and "{version}" are its own."""

    method: str
    path: str
    body: Any = None
    media: str = _JSON
    query: tuple[tuple[str, str], ...] = ()
    live: tuple[tuple[str, Any], ...] | None = None

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        what = f"live with {self.live}" if self.live is not None else json.dumps(self.body)
        kind = self.media.removeprefix("application/")
        return f"{self.method} {self.path}{'?' if query else ''}{query} {kind} {what}"

    def call(self, api: Api) -> Answer:
        body = self.body
        if self.live is not None:
            body = api.get(self.path).body
            for path, value in self.live:
                _set(body, path, value)
        if body is not None and "{" in (text := json.dumps(body)):
            if "{uid}" in text or "{version}" in text:
                about = api.get(self.path.removesuffix("/status").removesuffix("/scale")).body.get("metadata") or {}
                text = text.replace("{uid}", about.get("uid", "")).replace(
                    "{version}", about.get("resourceVersion", "")
                )
            body = json.loads(text)
        answer = api.call(self.method, self.path, body, media=self.media, **dict(self.query))
        if self.path.startswith(CRDS) and self.method != "GET" and answer.status < 300:
            _settle(api)
        return answer


class Disagreement(NamedTuple):
    """Where two servers part, and the calls that led there."""

    steps: tuple[Step, ...]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        calls = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.steps, 1))
        return "\n".join(("after", calls, "the last answers differ in", *(f"  {each}" for each in self.differences)))


def play(steps: tuple[Step, ...], sandbox: Api, real: Api) -> Disagreement | None:
    """Make the calls on both servers until the answers differ."""
    for number, step in enumerate(steps, 1):
        if found := differences(step.call(sandbox), step.call(real)):
            return Disagreement(steps[:number], tuple(found))
    return None


def _settle(api: Api) -> None:
    """Wait until definitions that were written are accepted, and those that were deleted are gone."""
    deadline = time.monotonic() + _SETTLED_WITHIN
    for name in _DEFINITION.names:
        while time.monotonic() < deadline:
            answer = api.get(f"{CRDS}/{name}")
            if answer.status == 404:
                break
            about = answer.body["metadata"]
            conditions = {each["type"]: each for each in (answer.body.get("status") or {}).get("conditions") or ()}
            established = conditions.get("Established", {"reason": "Installing"})["reason"] != "Installing"
            names, accepted = answer.body["spec"]["names"], (answer.body.get("status") or {}).get("acceptedNames")
            refused = conditions.get("NamesAccepted", {"status": ""})["status"] == "False"
            if "deletionTimestamp" not in about and established and (refused or names == accepted):
                break
            if "deletionTimestamp" in about and _CLEANUP not in about["finalizers"]:
                break
            time.sleep(0.01)


def _set(obj: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        if not isinstance(obj.get(name), dict):
            obj[name] = {}
        obj = obj[name]
    obj[last] = copy.deepcopy(value)


def _nested(edits: list[tuple[str, Any]]) -> Object:
    made: Object = {}
    for path, value in edits:
        _set(made, path, value)
    return made


_DEFINITION: Final = KINDS[-1]
_ORDINARY: Final = tuple(kind for kind in KINDS if kind is not _DEFINITION)
_MANAGERS: Final = st.sampled_from(("anna", "ben"))
_DIRECTIVES: Final = (
    {"metadata": {"labels": {"$patch": "replace", "z": "1"}}},
    {"metadata": {"labels": {"$patch": "delete"}}},
    {"metadata": {"annotations": None, "$deleteFromPrimitiveList/finalizers": ["example.com/hold"]}},
    {"metadata": {"ownerReferences": [{"uid": "u-1", "$patch": "delete"}]}},
    {"spec": {"$patch": "replace", "replicas": 2}},
    {"spec": {"template": {"spec": {"containers": [{"name": "main", "$patch": "delete"}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, {"name": "new", "image": "x"}]}}}},
    {
        "spec": {
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "side"}, {"name": "main"}],
                    "containers": [{"name": "main", "image": "z"}, {"name": "side", "image": "y"}],
                }
            }
        }
    },
    {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
    {"spec": {"ports": [{"port": 80, "name": "patched"}]}},
    {"spec": {"ports": [{"port": 80, "$patch": "delete"}]}},
    {"spec": {"$patch": "unheard"}},
    {"data": {"$patch": "replace", "z": "1"}},
    {"secrets": [{"name": "a", "$patch": "delete"}]},
    {"subjects": [{"kind": "User", "name": "other"}]},
)


def _edits(menu: Menu, *, most: int = 3) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Some fields and values: mostly of the kind, sometimes of the metadata that all have."""

    def fields(choices: Menu) -> st.SearchStrategy[tuple[str, Any]]:
        return st.sampled_from(sorted(choices)).flatmap(
            lambda path: st.tuples(st.just(path), st.sampled_from(choices[path]))
        )

    own = fields(menu)
    return st.lists(st.one_of(own, own, own, fields(METADATA)), max_size=most)


_OPTIONS: Final = st.sampled_from(
    (*[()] * 8, (("dryRun", "All"),), (("fieldValidation", "Strict"),), (("fieldValidation", "Ignore"),))
)


@st.composite
def _step(draw: st.DrawFn, kind: Kind) -> Step:
    name = draw(st.sampled_from(kind.names))
    path = f"{kind.collection}/{name}"
    verbs = ["create", "create", "apply", "apply", "apply", "edit", "edit", "put", "merge", "merge", "json"]
    verbs += ["strategic", "delete", "get", "list", "sweep"]
    verbs += ["status"] * 2 * bool(kind.status) + ["scale"] * kind.scale
    verb = draw(st.sampled_from(verbs))
    if verb in ("get", "list", "sweep", "delete"):
        return draw(_plain(kind, path, verb))
    if verb == "scale":
        return draw(_scale(path))
    options = (*draw(_OPTIONS), ("fieldManager", draw(_MANAGERS)))
    menu = kind.status if verb == "status" else kind.menu
    edits = draw(_edits(menu))
    if verb == "status":
        path += "/status"
        verb = draw(st.sampled_from(("merge", "apply", "edit", "json")))
    return draw(_write(kind, name, path, verb, edits, options))


@st.composite
def _write(draw: st.DrawFn, kind: Kind, name: str, path: str, verb: str, edits: Any, options: Any) -> Step:
    if verb == "edit":
        return Step("PUT", path, query=options, live=tuple(edits))
    if verb == "merge":
        return Step("PATCH", path, _nested(edits), MERGE, options)
    if verb == "strategic":
        body = draw(st.one_of(st.just(_nested(edits)), st.sampled_from(_DIRECTIVES)))
        return Step("PATCH", path, body, STRATEGIC, options)
    if verb == "json":
        return Step("PATCH", path, [draw(_operation(*edit)) for edit in edits], JSON_PATCH, options)
    whole = draw(st.sampled_from((True, True, False))) and not path.endswith("/status")
    body = kind.valid(name) if whole or verb != "apply" else kind.identity(name)
    body = copy.deepcopy(body)
    for edit in edits:
        _set(body, *edit)
    if verb == "apply":
        force = draw(st.sampled_from(((), (("force", "true"),))))
        return Step("PATCH", path, body, APPLY, options + force)
    if verb == "put":
        return Step("PUT", path, body, query=options)
    return Step("POST", kind.collection, body, query=options)


@st.composite
def _operation(draw: st.DrawFn, path: str, value: Any) -> Object:
    pointer = "/" + path.replace("~", "~0").replace("/", "~1").replace(".", "/")
    verb = draw(st.sampled_from(("add", "add", "replace", "remove", "test", "copy", "move")))
    if verb in ("copy", "move"):
        return {"op": verb, "from": "/metadata/labels", "path": pointer}
    if isinstance(value, list) and value and verb == "add":
        place = draw(st.sampled_from(("", "/-", "/0", "/1", "/9")))
        return {"op": verb, "path": pointer + place, "value": value[0] if place else value}
    return {"op": verb, "path": pointer} if verb == "remove" else {"op": verb, "path": pointer, "value": value}


@st.composite
def _plain(draw: st.DrawFn, kind: Kind, path: str, verb: str) -> Step:
    """Calls without an object in them."""
    selectors = ("", "a=1", "a!=1", "a in (1,2),!c", "c", "a notin (1)", "a==", "a in (", "&", "app=one")
    fields = (
        "",
        "metadata.name=one",
        "metadata.name!=one",
        "metadata.namespace=elsewhere",
        "spec.x=1",
        "x",
        "type=own",
    )
    chosen: tuple[tuple[str, str], ...] = ()
    if verb in ("list", "sweep"):
        chosen = (("labelSelector", draw(st.sampled_from(selectors))), ("fieldSelector", draw(st.sampled_from(fields))))
        if not kind.namespaced:
            chosen = (("fieldSelector", "metadata.name=mine-a"),)  # the others are not ours
    if verb == "list":
        return Step("GET", kind.collection, query=chosen)
    if verb == "get":
        return Step("GET", path)
    query = draw(st.sampled_from(((), (), (("dryRun", "All"),), (("propagationPolicy", "Orphan"),))))
    if verb == "sweep":
        return Step("DELETE", kind.collection, query=chosen + query) if kind.namespaced else Step("GET", path)
    options = draw(
        st.sampled_from(
            (
                None,
                {"propagationPolicy": "Background"},
                {"propagationPolicy": "Foreground"},
                {"propagationPolicy": "Orphan"},
                {"propagationPolicy": "Other"},
                {"orphanDependents": True},
                {"orphanDependents": False, "propagationPolicy": "Background"},
                {"gracePeriodSeconds": 0},
                {"gracePeriodSeconds": 30},
                {"gracePeriodSeconds": -5},
                {"dryRun": ["All"]},
                {"dryRun": ["Some"]},
                {"preconditions": {"uid": "{uid}"}},
                {"preconditions": {"uid": "{uid}", "resourceVersion": "{version}"}},
                {"preconditions": {"uid": "wrong"}},
                {"preconditions": {"resourceVersion": "1"}},
            )
        )
    )
    if options is not None:
        return Step("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
    return Step("DELETE", path, query=query)


@st.composite
def _scale(draw: st.DrawFn, path: str) -> Step:
    path += "/scale"
    verb = draw(st.sampled_from(("get", "edit", "merge", "json", "apply", "strategic")))
    replicas = draw(st.sampled_from((0, 2, 5, -1, "x", None)))
    manager = (("fieldManager", draw(_MANAGERS)),)
    match verb:
        case "get":
            return Step("GET", path)
        case "edit":
            return Step("PUT", path, query=manager, live=(("spec.replicas", replicas),))
        case "json":
            operation = {"op": "replace", "path": "/spec/replicas", "value": replicas}
            return Step("PATCH", path, [operation], JSON_PATCH, manager)
        case "apply":
            body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": replicas}}
            body["metadata"] = {"name": path.split("/")[-2]}
            return Step("PATCH", path, body, APPLY, manager + draw(st.sampled_from(((), (("force", "true"),)))))
    return Step("PATCH", path, {"spec": {"replicas": replicas}}, MERGE if verb == "merge" else STRATEGIC, manager)


@st.composite
def sequences(draw: st.DrawFn, *, shortest: int = 10, longest: int = 14) -> tuple[Step, ...]:
    """At least `shortest` calls about one to three kinds; the first makes an object."""
    definitions = draw(st.sampled_from((True, *[False] * 15)))
    kinds = [_DEFINITION] if definitions else draw(st.lists(st.sampled_from(_ORDINARY), min_size=1, max_size=2))
    first = draw(st.sampled_from(kinds))
    made = first.valid(first.names[0])
    start = Step("POST", first.collection, made, query=(("fieldManager", "anna"),))
    if draw(st.booleans()):
        start = Step("PATCH", f"{first.collection}/{first.names[0]}", made, APPLY, start.query)
    steps = st.sampled_from(kinds).flatmap(_step)
    return (start, *draw(st.lists(steps, min_size=shortest - 1, max_size=longest - 1)))
