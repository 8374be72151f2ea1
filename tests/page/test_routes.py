"""The page over HTTP: what is answered to whom, and with which headers."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from html_page import Parsed
from staged import StagedView, huge, overall
from yarl import URL

from reconciler.daemon.page.status import PlannerStatus, Row
from reconciler.kube.names import Identity
from reconciler.model.health import Health, Status
from reconciler.model.spec import Origin

TOKEN = "a-long-and-secret-word"
PEOPLE = {"Accept": "text/html,*/*"}
PAGES = [
    "/",
    "/sources",
    "/objects",
    "/drift",
    "/history",
    "/planner",
    "/objects/Deployment/shop/web",
    "/objects/Namespace/-/tools",
]
MACHINES = ["/api/status", "/api/planner"]
OPEN = ["/static/page.css", "/static/page.js", "/static/icon.svg", "/login"]


@pytest.fixture
def view() -> StagedView:
    return StagedView(overall())


@pytest.fixture
async def url(served: Any, view: StagedView) -> AsyncIterator[str]:
    async with served(view) as address:
        yield address


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def closed(served: Any, view: StagedView, tmp_path: Path) -> AsyncIterator[str]:
    """With a token."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    async with served(view, file) as address:
        yield address


@pytest.mark.parametrize("path", [*PAGES, *OPEN, *MACHINES, "/nowhere", "/static/nothing", "/objects/Pod/a/b"])
async def test_every_answer_forbids_what_is_not_ours(url: str, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(url + path, allow_redirects=False) as answer:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.status == (200 if path in (*PAGES, *OPEN[:3], *MACHINES) else 303 if path == "/login" else 404)
        if path in (*PAGES, *MACHINES):
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [*PAGES, *MACHINES, "/events", "/static/page.js"])
async def test_it_is_read_only(url: str, http: aiohttp.ClientSession, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        async with http.request(method, url + path) as answer:
            assert answer.status == 405, method
    if path != "/events":
        async with http.head(url + path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_names_with_anything_in_them(url: str, http: aiohttp.ClientSession, view: StagedView) -> None:
    identity = Identity("rbac.authorization.k8s.io", "ClusterRole", "", "system:a b/%2F?#x")
    rows = (Row("shop", identity, Health(Status.HEALTHY), Origin("a.yaml", 1, "")),)
    view.change(replace(view.shown, rows=rows))
    async with http.get(url + "/objects") as answer:
        (link,) = (href for href in Parsed.of(await answer.text()).links if "ClusterRole" in href)
    async with http.get(f"{url}{link}") as answer:
        assert answer.status == 200
        assert "system:a b/%2F?#x" in Parsed.of(await answer.text()).root.all("h1")[0].words()


async def test_every_link_leads_somewhere_and_every_page_is_whole(url: str, http: aiohttp.ClientSession) -> None:
    known, todo = {"/"}, ["/"]
    while todo:
        path = todo.pop()
        async with http.get(url + path, headers=PEOPLE) as answer:
            assert answer.status == 200 or "/old-" in path or "/needs" in path, path
            if answer.content_type != "text/html":
                continue
            parsed = Parsed.of(await answer.text())
        elements = parsed.root.all()
        ids = {each.attributes.get("id") for each in elements}
        assert not [
            each for each in elements if any(name.startswith("on") or name == "style" for name in each.attributes)
        ]
        assert [each.attributes.get("src") for each in parsed.root.all("script")] in ([], ["/static/page.js"])
        assert len(parsed.root.all("h1")) == 1
        assert len(parsed.root.all("main")) == 1
        for href in parsed.links:
            if href.startswith("#"):
                assert href[1:] in ids
            elif href and href not in known:
                known.add(href)
                todo.append(href)
    assert len(known) > 20


async def test_the_search_finds_by_its_address(url: str, http: aiohttp.ClientSession) -> None:
    async def found(query: str) -> list[str]:
        async with http.get(f"{url}/api/status?{query}") as answer:
            return [each["object"] for each in (await answer.json())["objects"]]

    assert await found("q=WEB") == ["Deployment/shop/web"]
    assert await found("q=shop+deploy") == ["Deployment/shop/cart", "Deployment/shop/web"]
    assert await found("health=degraded") == ["Deployment/shop/cart"]
    assert await found("namespace=-") == ["Namespace/tools"]
    assert await found("kind=Deployment.apps&source=shop&q=cart") == ["Deployment/shop/cart"]
    assert await found("kind=Deployment&source=platform") == []
    assert len(await found("page=x&unknown=1")) == 9
    async with http.get(f"{url}/objects?q=nothing-like-this") as answer:
        assert "No object is like this." in await answer.text()


async def test_the_plan_has_its_nodes_and_the_demand_of_the_workload_that_is_named(
    url: str, http: aiohttp.ClientSession, view: StagedView
) -> None:
    async def planner(query: str) -> Any:
        async with http.get(f"{url}/api/planner{query}") as answer:
            return await answer.json()

    found = await planner("?workload=Deployment/shop/web")
    assert (found["holder"], found["ours"]) == ("reconciler-1", True)
    assert any(each["decisions"] for each in found["plan"]["workloads"])
    assert found["nodes"][2] == {
        "name": "gpu-1",
        "pool": "gpu",
        "zone": "a",
        "there": True,
        "requested": {
            "cpu": {"now": 0.25, "planned": 0.5},
            "memory": {"now": 0.0, "planned": 0.0},
            "gpu": {"now": 0.5, "planned": 1.5},
        },
    }
    assert found["demand"] == {
        "begin": "2026-03-02T08:30:00+00:00",
        "step": 300.0,
        "forecastBy": "now, times 1.1",
        "perReplica": 1.0,
        "measured": [1.0, 2.0, 3.0],
        "forecast": [None, 1.5, 2.5, 3.5],
        "replicas": [None, 2, 3, 4],
        "carried": [None, 2.0, 3.0, 4.0],
    }
    assert (await planner(""))["demand"] is None
    view.change(replace(overall(), planner=PlannerStatus()))
    starting = await planner("")
    assert (starting["plan"], starting["nodes"]) == (None, [])
    view.change(replace(overall(), planner=None))
    assert await planner("") is None


async def test_the_json_says_what_the_page_says(url: str, http: aiohttp.ClientSession, view: StagedView) -> None:
    async with http.get(f"{url}/api/status") as answer:
        said = await answer.json()
    assert [source["standing"] for source in said["sources"]] == ["synced", "failing", "suspended"]
    assert said["sources"][0]["revision"]["subject"] == "Cart: 3 replicas"
    first = said["drift"][0]
    assert first["fields"][0] == {
        "path": "spec.replicas",
        "wanted": 3,
        "found": 5,
        "by": [
            {
                "manager": "kubectl-edit",
                "operation": "Update",
                "subresource": "",
                "time": "2026-03-02T09:26:00+00:00",
            }
        ],
        "stated": None,
    }
    assert [place["author"] for place in first["stated"]] == ["Ada Byron <ada@example.com>", "Grace Hopper"]
    assert [drift["state"] for drift in said["drift"] + said["driftEnded"]] == ["found", "fight", "waiting", "healed"]
    assert "found" not in first["fields"][2], "what is gone has no value"
    assert Counter(each["health"] for each in said["objects"]) == Counter(row.health.status for row in view.shown.rows)


@pytest.mark.parametrize(
    "path", ["/", "/objects", "/objects?q=object", "/objects?namespace=team-3", "/objects?page=51"]
)
async def test_5000_objects_are_no_large_page(
    url: str, http: aiohttp.ClientSession, view: StagedView, path: str
) -> None:
    view.change(overall(many=5000))
    async with http.get(url + path, headers={**PEOPLE, "Accept-Encoding": "identity"}) as answer:
        body = await answer.read()
    assert len(body) <= 300_000
    Parsed.of(body.decode())
    async with http.get(url + path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"


async def test_no_page_is_large_whatever_there_is_to_say(served: Any, http: aiohttp.ClientSession) -> None:
    shown = huge()
    row = shown.rows[0].identity
    async with served(StagedView(shown)) as url:
        for path in (
            "/",
            "/sources",
            "/objects",
            "/drift",
            "/history",
            "/planner",
            f"/objects/{row.group_kind}/{row.namespace}/{row.name}",
        ):
            async with http.get(url + path, headers={"Accept-Encoding": "identity"}) as answer:
                body = await answer.read()
            assert answer.status == 200
            assert len(body) <= 300_000, path
            Parsed.of(body.decode())


async def test_all_of_many_objects_can_be_reached_from_the_overview(
    url: str, http: aiohttp.ClientSession, view: StagedView
) -> None:
    view.change(overall(many=1000))
    todo, seen, objects = ["/"], {"/"}, set()
    while todo:
        async with http.get(url + todo.pop()) as answer:
            links = Parsed.of(await answer.text()).links
        objects |= {link for link in links if link.startswith("/objects/")}
        lists = [
            each for each in links if each == "/objects" or each.startswith(("/objects?page", "/objects?namespace"))
        ]
        todo += [each for each in lists if each not in seen and "health" not in each]
        seen |= set(lists)
    assert len([link for link in objects if "/team-" in link]) == 1000


# -- who may ----------------------------------------------------------------------------------------------------------


async def test_another_machines_name_is_refused(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(url, headers={"Host": "evil.example.com", **PEOPLE}) as answer:
        assert answer.status == 403
        assert "port-forward" in await answer.text()
    async with http.get(url, headers={"X-Forwarded-For": "10.1.2.3"}) as answer:
        assert answer.status == 403
    async with http.get(f"{url}/api/status", headers={"Host": "evil.example.com"}) as answer:
        assert (answer.status, await answer.text()) == (403, "this machine only\n")


@pytest.mark.parametrize("path", [*PAGES, *MACHINES, "/events"])
async def test_nothing_is_shown_without_the_token(closed: str, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(closed + path) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert await answer.text() == "a token is needed\n"
    async with http.get(closed + path, headers=PEOPLE, allow_redirects=False) as answer:
        assert answer.status == 303
        assert URL(answer.headers["Location"]) == URL("/login").with_query(next=path)
    async with http.get(closed + path, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 200


async def test_by_the_login_form_and_out_again(closed: str) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # takes cookies of an address in numbers
    async with aiohttp.ClientSession(cookie_jar=jar, headers=PEOPLE) as http:
        async with http.get(f"{closed}/objects?q=web") as answer:
            page = Parsed.of(await answer.text())
        hidden = {str(e.attributes["name"]): e.attributes.get("value") for e in page.root.all("input")}
        assert hidden == {"token": None, "next": "/objects?q=web"}
        async with http.post(f"{closed}/login", data={"token": "wrong", "next": "/objects?q=web"}) as answer:
            assert answer.status == 401
            assert "This is not the token." in await answer.text()
        async with http.post(
            f"{closed}/login", data={"token": TOKEN, "next": "/objects?q=web"}, allow_redirects=False
        ) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/objects?q=web")
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie
            assert "Secure" not in cookie
            assert TOKEN not in cookie
        async with http.get(f"{closed}/") as answer:
            assert answer.status == 200
            assert "Log out" in await answer.text()
        async with http.post(f"{closed}/logout", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.url.path == "/"
        async with http.post(f"{closed}/logout") as answer:
            assert answer.url.path == "/login"
        async with http.get(f"{closed}/", allow_redirects=False) as answer:
            assert answer.status == 303


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", "javascript:1"]
)
async def test_the_login_leads_nowhere_else(closed: str, http: aiohttp.ClientSession, target: str) -> None:
    body = {"token": TOKEN, "next": target}
    async with http.post(f"{closed}/login", data=body, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/"


async def test_a_cookie_behind_https_is_for_https(closed: str, http: aiohttp.ClientSession) -> None:
    behind = {"X-Forwarded-Proto": "https"}
    async with http.post(f"{closed}/login", data={"token": TOKEN}, headers=behind, allow_redirects=False) as answer:
        assert "Secure" in answer.headers["Set-Cookie"]


async def test_a_login_that_is_too_large_is_not_read(closed: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{closed}/login", data={"token": "x" * 10_000}) as answer:
        assert answer.status == 413


async def test_a_token_that_is_gone_opens_to_nobody(closed: str, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    async with http.get(closed, headers={"Authorization": f"Bearer {TOKEN}", **PEOPLE}) as answer:
        assert answer.status == 503
        assert "cannot be read" in await answer.text()
