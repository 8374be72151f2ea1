"""Sequences of calls as people and programs might make them, and more foolish ones; played on two servers at once."""

import copy
import json
import re
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from http.client import RemoteDisconnected
from random import Random
from typing import Any, Final, NamedTuple

from agreement import differences
from generated_fields import field
from generated_kinds import GADGETS, KINDS, METADATA, WIDGETS, Kind, Menu, Object
from kubernetes_api import Connection, KubernetesApi
from sandbox_api import APPLY, CRDS, JSON_PATCH, MERGE, STRATEGIC, Answer, Api

_JSON: Final = "application/json"
_CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_SETTLED_WITHIN: Final = 30.0  # seconds for a definition to be accepted or gone


@dataclass(frozen=True)
class Step:
    """One call. With `live`, its body is the object that is there with `edits`; "{uid}" and "{version}" are its own."""

    method: str
    path: str
    body: Any = None
    media: str = _JSON
    query: tuple[tuple[str, str], ...] = ()
    live: tuple[tuple[str, Any], ...] | None = None

    @property
    def sort(self) -> str:
        """What calls of this sort are counted as."""
        place = self.path.rpartition("/")[2]
        kind = self.media.partition("/")[2].partition("+")[0] if self.method == "PATCH" else ""
        return " ".join(filter(None, (self.method, kind, place if place in ("status", "scale") else "")))

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

    @property
    def look(self) -> str:
        """What disagreements that are one fault have in common."""
        kind = self.steps[-1].path.split("/namespaces/default/")[-1].partition("/")[0]
        first = self.differences[0]
        if first.startswith("."):
            first = first.partition(": ")[0]
        alike = re.sub(r"\[[0-9]+\]", "[…]", first)
        return f"{kind} {self.steps[-1].sort} {alike}"

    def __str__(self) -> str:
        calls = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.steps, 1))
        return "\n".join(("after", calls, "the last answers differ in", *(f"  {each}" for each in self.differences)))


def play(steps: tuple[Step, ...], sandbox: Api, real: Api, answered: Counter[str] | None = None) -> Disagreement | None:
    """Make the calls on both servers until the answers differ; `answered` counts what the real one said to what."""
    for number, step in enumerate(steps, 1):
        try:
            ours = step.call(sandbox)
        except Exception as error:  # noqa: BLE001 - whatever it is, the real server has an answer
            where = traceback.extract_tb(error.__traceback__)[-1]
            return Disagreement(steps[:number], (f"{error!r} in {where.name} of {where.filename}:{where.lineno}",))
        try:
            theirs = step.call(real)
        except RemoteDisconnected:  # it has faults, too: on some patches of roles the handler panics
            if answered is not None:
                answered[f"{step.sort} unanswered"] += 1
            return None
        if answered is not None:
            answered[f"{step.sort} {theirs.status}"] += 1
        if found := differences(ours, theirs):
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
            if "deletionTimestamp" in about and _CLEANUP not in about.get("finalizers", ()):
                break
            time.sleep(0.01)


def _set(obj: Any, path: str, value: Any) -> None:
    """Set what is at `path`, and make what is missing on the way; a number is a place in a list."""
    name, _, rest = path.partition(".")
    place: Any = name
    if isinstance(obj, list):
        obj.extend({} for _ in range(len(obj), int(name) + 1))
        place = int(name)
    if not rest:
        obj[place] = copy.deepcopy(value)
        return
    wanted = list if rest.partition(".")[0].isdecimal() else dict
    if isinstance(obj, list) or name in obj:
        if not isinstance(obj[place], wanted):
            obj[place] = wanted()
    else:
        obj[name] = wanted()
    _set(obj[place], rest, value)


def _nested(edits: list[tuple[str, Any]]) -> Object:
    made: Object = {}
    for path, value in edits:
        _set(made, path, value)
    return made


_DEFINITION: Final = KINDS[-1]
_ORDINARY: Final = tuple(kind for kind in KINDS if kind is not _DEFINITION)
_MANAGERS: Final = ("anna", "ben")
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


def _chosen(random: Random, choices: Menu) -> tuple[str, Any]:
    """A field and a value. A menu begins with what is taken: the first half comes twice as often."""
    path = random.choice(sorted(choices))
    values = choices[path]
    return path, random.choice((*values, *values[: (len(values) + 1) // 2]))


def _edits(random: Random, kind: Kind, *, status: bool) -> list[tuple[str, Any]]:
    """Some fields and values: mostly of the kind's menu, sometimes of the metadata that all have, or any field."""
    own = kind.status if status else kind.menu

    def edit() -> tuple[str, Any]:
        match random.randrange(6):
            case 0:
                return _chosen(random, METADATA)
            case 1 | 2:
                return field(random, kind, status=status)
        return _chosen(random, own)

    return [edit() for _ in range(random.randrange(4))]


_OPTIONS: Final = (*[()] * 8, (("dryRun", "All"),), (("fieldValidation", "Strict"),), (("fieldValidation", "Ignore"),))
_VERBS: Final = (
    *("create", "create", "apply", "apply", "apply", "edit", "edit", "put", "merge", "merge", "json", "json"),
    *("strategic", "delete", "get", "list", "sweep"),
)


def _step(random: Random, kind: Kind) -> Step:
    name = random.choice((*kind.names, kind.names[0]))
    path = f"{kind.collection}/{name}"
    verb = random.choice((*_VERBS, *["status"] * 2 * bool(kind.status), *["scale"] * kind.scale))
    if verb in ("get", "list", "sweep", "delete"):
        return _plain(random, kind, path, verb)
    if verb == "scale":
        return _scale(random, path)
    options = (*random.choice(_OPTIONS), ("fieldManager", random.choice(_MANAGERS)))
    edits = _edits(random, kind, status=verb == "status")
    if verb == "status":
        path += "/status"
        verb = random.choice(("merge", "apply", "edit", "json"))
    return _write(random, kind, name, path, verb, edits, options)


def _write(random: Random, kind: Kind, name: str, path: str, verb: str, edits: Any, options: Any) -> Step:
    if verb == "edit":
        return Step("PUT", path, query=options, live=tuple(edits))
    if verb == "merge":
        return Step("PATCH", path, _nested(edits), MERGE, options)
    if verb == "strategic":
        body = random.choice((_nested(edits), random.choice(_DIRECTIVES)))
        return Step("PATCH", path, body, STRATEGIC, options)
    if verb == "json":
        return Step("PATCH", path, [_operation(random, *edit) for edit in edits], JSON_PATCH, options)
    whole = random.choice((True, True, False)) and not path.endswith("/status")
    body = kind.valid(name) if whole or verb != "apply" else kind.identity(name)
    body = copy.deepcopy(body)
    for edit in edits:
        _set(body, *edit)
    if verb == "apply":
        force = random.choice(((), (("force", "true"),)))
        return Step("PATCH", path, body, APPLY, options + force)
    if verb == "put":
        return Step("PUT", path, body, query=options)
    return Step("POST", kind.collection, body, query=options)


def _operation(random: Random, path: str, value: Any) -> Object:
    pointer = "/" + path.replace("~", "~0").replace("/", "~1").replace(".", "/")
    verb = random.choice(("add", "add", "replace", "remove", "test", "copy", "move"))
    if verb in ("copy", "move"):
        return {"op": verb, "from": "/metadata/labels", "path": pointer}
    if isinstance(value, list) and value and verb == "add":
        place = random.choice(("", "/-", "/0", "/1", "/9"))
        return {"op": verb, "path": pointer + place, "value": value[0] if place else value}
    return {"op": verb, "path": pointer} if verb == "remove" else {"op": verb, "path": pointer, "value": value}


_LABEL_SELECTORS: Final = ("", "a=1", "a!=1", "a in (1,2),!c", "c", "a notin (1)", "a==", "a in (", "&", "app=one")
_FIELD_SELECTORS: Final = (
    "",
    "metadata.name=one",
    "metadata.name!=one",
    "metadata.namespace=elsewhere",
    "spec.x=1",
    "x",
    "type=own",
)
_DELETE_OPTIONS: Final = (
    None,
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


def _plain(random: Random, kind: Kind, path: str, verb: str) -> Step:
    """Calls without an object in them."""
    chosen: tuple[tuple[str, str], ...] = ()
    if verb in ("list", "sweep"):
        labels, fields = random.choice(_LABEL_SELECTORS), random.choice(_FIELD_SELECTORS)
        chosen = (("labelSelector", labels), ("fieldSelector", fields))
        if not kind.namespaced:
            chosen = (("fieldSelector", "metadata.name=mine-a"),)  # the others are not ours
    if verb == "list":
        return Step("GET", kind.collection, query=chosen)
    if verb == "get":
        return Step("GET", path)
    query = random.choice(((), (), (("dryRun", "All"),), (("propagationPolicy", "Orphan"),)))
    if verb == "sweep":
        return Step("DELETE", kind.collection, query=chosen + query) if kind.namespaced else Step("GET", path)
    options = random.choice(_DELETE_OPTIONS)
    if options is not None:
        return Step("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
    return Step("DELETE", path, query=query)


def _scale(random: Random, path: str) -> Step:
    path += "/scale"
    replicas = random.choice((0, 2, 5, -1, "x", None))
    manager = (("fieldManager", random.choice(_MANAGERS)),)
    match random.choice(("get", "edit", "merge", "json", "apply", "strategic")):
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
            return Step("PATCH", path, body, APPLY, manager + random.choice(((), (("force", "true"),))))
        case verb:
            return Step(
                "PATCH", path, {"spec": {"replicas": replicas}}, MERGE if verb == "merge" else STRATEGIC, manager
            )


def sequence(random: Random, *, shortest: int = 10, longest: int = 14) -> tuple[Step, ...]:
    """At least `shortest` calls about one or two kinds; the first makes an object."""
    kinds = random.sample(_ORDINARY, random.choice((1, 1, 2))) if random.randrange(16) else [_DEFINITION]
    first = kinds[0]
    made = first.valid(first.names[0])
    start = Step("POST", first.collection, made, query=(("fieldManager", "anna"),))
    if random.randrange(2):
        start = Step("PATCH", f"{first.collection}/{first.names[0]}", made, APPLY, start.query)
    others = [kind for kind in kinds if len(kind.names) > 1 and random.randrange(2)]
    by = (("fieldManager", "ben"),)
    starts = [start, *(Step("POST", kind.collection, kind.valid(kind.names[1]), query=by) for kind in others)]
    rest = random.randint(shortest, longest) - len(starts)
    return (*starts, *(_step(random, random.choice(kinds)) for _ in range(rest)))


class Pair:
    """The two servers, new for each sequence, with the same two definitions of custom resources."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._group = f"{connection.tag()}.fuzz.example.com"
        _define(KubernetesApi(connection, group=self._group))

    def play(self, steps: tuple[Step, ...], answered: Counter[str] | None = None) -> Disagreement | None:
        real, sandbox = KubernetesApi(self._connection, group=self._group), Api()
        sandbox.post(_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
        _define(sandbox)
        try:
            return play(steps, sandbox, real, answered)
        finally:
            real.call("DELETE", f"{CRDS}/{_DEFINITION.names[0]}")

    def smallest(self, found: Disagreement) -> Disagreement:
        """The same disagreement after fewer calls."""
        position = len(found.steps) - 2
        while position >= 0:
            again = self.play(found.steps[:position] + found.steps[position + 1 :])
            if again is not None and again.look == found.look:
                found = again
            position = min(position, len(found.steps) - 1) - 1
        return found


_ACCOUNTS: Final = "/api/v1/namespaces/default/serviceaccounts"


def _define(api: Api) -> None:
    for definition in (WIDGETS, GADGETS):
        assert api.post(CRDS, definition).status == 201
