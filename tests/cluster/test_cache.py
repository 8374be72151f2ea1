"""Objects at rest: compact, never going back in time."""

import json
import subprocess
import sys
from typing import Any

import pytest

from reconciler.cluster.cache import LiveCache, Packed, newer, pack
from reconciler.kube.names import GroupKind, Identity

WEB = Identity("", "ConfigMap", "shop", "web")


def packed(version: int, value: str = "", source: str = "shop") -> Packed:
    data = {"metadata": {"name": "web", "resourceVersion": str(version)}, "data": {"value": value}}
    return pack(json.dumps(data).encode(), version=str(version), source=source, api_version="v1")


@pytest.mark.parametrize("value", ["", "x" * 5000, "Ü" * 300])
def test_what_went_in_comes_out(value: str) -> None:
    cache = LiveCache()
    cache.put(WEB, packed(5, value))
    live = cache.get(WEB)
    assert live is not None
    assert live.object == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web", "resourceVersion": "5"},
        "data": {"value": value},
    }


def test_time_goes_forward_only() -> None:
    cache = LiveCache()
    told: list[tuple[Any, Any]] = []
    stop = cache.subscribe(lambda _identity, old, new: told.append((old, new)))
    cache.put(WEB, packed(10))
    cache.put(WEB, packed(10))
    cache.put(WEB, packed(9))
    cache.remove(WEB, "8")
    assert cache.version(WEB) == "10"
    assert len(told) == 1
    cache.remove(WEB, "11")
    assert WEB not in cache
    assert [(old is None, new is None) for old, new in told] == [(True, False), (False, True)]
    stop()
    cache.put(WEB, packed(12))
    assert len(told) == 2


def test_telling_a_change_unpacks_nothing() -> None:
    """A roll-out's status updates are many, and nearly none needs a look inside."""
    cache = LiveCache()
    told: list[tuple[Any, Any]] = []
    cache.subscribe(lambda _identity, old, new: told.append((old, new)))
    sealed = [Packed(version, "shop", "v1", b"nothing that could be unpacked") for version in ("1", "2")]
    for each in sealed:
        cache.put(WEB, each)
    cache.remove(WEB)
    assert told == [(None, sealed[0]), (sealed[0], sealed[1]), (sealed[1], None)]


def test_a_list_replaces_all_but_what_is_newer() -> None:
    cache = LiveCache()
    old, new, elsewhere = (Identity("", "ConfigMap", n, m) for n, m in (("shop", "old"), ("shop", "new"), ("b", "c")))
    cache.put(old, packed(3))
    cache.put(new, packed(30))
    cache.put(elsewhere, packed(3))
    cache.replace(GroupKind("", "ConfigMap"), "shop", {WEB: packed(5)}, "20")
    assert cache.of_kind(GroupKind("", "ConfigMap")) == [elsewhere, new, WEB]


def test_objects_are_found_by_their_source() -> None:
    cache = LiveCache()
    cache.put(WEB, packed(1))
    cache.put(Identity("", "ConfigMap", "shop", "api"), packed(1))
    assert [live.identity.name for live in cache.of_source("shop")] == ["api", "web"]
    cache.put(WEB, packed(2, source="other"))
    assert [live.identity.name for live in cache.of_source("shop")] == ["api"]
    assert [live.identity.name for live in cache.of_source("other")] == ["web"]
    cache.remove(WEB)
    assert list(cache.of_source("other")) == []


def test_a_subscriber_that_fails_does_not_keep_the_others_from_knowing(caplog: pytest.LogCaptureFixture) -> None:
    cache = LiveCache()
    told: list[Identity] = []

    def fail(*_: object) -> None:
        raise RuntimeError("oops")

    cache.subscribe(fail)
    cache.subscribe(lambda identity, _old, _new: told.append(identity))
    cache.put(WEB, packed(1))
    assert told == [WEB]
    assert "ConfigMap/shop/web" in caplog.text


def test_versions_are_ordered_where_they_are_numbers() -> None:
    assert newer("100", "99")
    assert not newer("99", "100")
    assert newer("abc", "abd")
    assert not newer("abc", "abc")


_FILL = """
import json, msgspec
from reconciler.cluster.cache import LiveCache, pack
from reconciler.kube.names import Identity
import reconciler.http.client, reconciler.cluster.cluster, kubernetes.config

def deployment(n):  # about 9 kB, as one with its managedFields is
    env = [{"name": f"E{i}", "value": f"v{n}-{i}"} for i in range(40)]
    container = {"name": f"c{n}", "image": f"example.com/app:{n}", "env": env}
    key = 'k:{"name":"E%d"}'
    fields = {f"f:field-{i}": {".": {}, f"f:name-{n % 50}": {}, key % i: {"f:value": {}}} for i in range(60)}
    managed = [{"manager": "reconciler", "operation": "Apply", "fieldsV1": fields}]
    metadata = {"name": f"app-{n}", "resourceVersion": str(n), "uid": f"uid-{n:032}", "managedFields": managed}
    return {"metadata": metadata, "spec": {"replicas": n % 7, "template": {"spec": {"containers": [container]}}}}

cache = LiveCache()
total = 0
for n in range(COUNT):
    data = json.dumps(deployment(n)).encode()
    total += len(data)
    cache.put(Identity("apps", "Deployment", "shop", f"app-{n}"),
              pack(data, version=str(n), source="shop", api_version="apps/v1"))
with open("/proc/self/statm") as f:
    print(total / COUNT, int(f.read().split()[1]) * 4096 / 1e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc: run it on Linux")
def test_5000_objects_and_all_imports_take_less_than_110_mb() -> None:
    code = _FILL.replace("COUNT", "5000")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    size, resident = map(float, done.stdout.split())
    assert size > 6000
    assert resident < 110
