"""The status page over HTTP: read-only, for those who may."""

import re
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Final
from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web

from reconciler.clock import Clock
from reconciler.daemon.page.access import COOKIE, LASTS, Access, Verdict, Visitor
from reconciler.daemon.page.api import document, planner_document
from reconciler.daemon.page.detail import detail_page
from reconciler.daemon.page.drift import drift_page
from reconciler.daemon.page.feed import Feed
from reconciler.daemon.page.history import history_page
from reconciler.daemon.page.login import elsewhere, login_page, no_token, nothing_here
from reconciler.daemon.page.objects import Filter, objects_page
from reconciler.daemon.page.overview import overview
from reconciler.daemon.page.planner import planner_page
from reconciler.daemon.page.sources import sources_page
from reconciler.daemon.page.turns import Turns
from reconciler.daemon.page.view import View

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_FORWARDED: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
_LARGEST_FORM: Final = 4096  # bytes
_SAFE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class StatusPage:
    """Adds the page to an application."""

    def __init__(self, view: View, access: Access, clock: Clock) -> None:
        self.feed = Feed(view, clock)
        self._view = view
        self._access = access
        self._turns = Turns(clock)
        self._static = {name: (files(__package__) / "static" / name).read_bytes() for name in _STATIC}

    def add_to(self, app: web.Application) -> None:
        get = [
            ("/", self._closed(self._overview)),
            ("/objects", self._closed(self._objects)),
            ("/objects/{kind}/{namespace}/{name}", self._closed(self._object)),
            ("/drift", self._closed(self._drift)),
            ("/sources", self._closed(self._sources)),
            ("/history", self._closed(self._history)),
            ("/planner", self._closed(self._planner)),
            ("/api/status", self._closed(self._api)),
            ("/api/planner", self._closed(self._api_planner)),
            ("/static/{name}", self._file),
            ("/login", self._login),
        ]
        app.add_routes([web.get(path, handler) for path, handler in get])
        app.add_routes(
            [
                web.get("/events", self._closed(self._events), allow_head=False),
                # The only two that are no GET: they change a browser's cookie, and nothing here.
                web.post("/login", self._log_in),
                web.post("/logout", self._log_out),
            ]
        )
        app.on_response_prepare.append(_guard)
        app.on_shutdown.append(self._end)

    async def _end(self, _app: web.Application) -> None:
        self.feed.end()

    # -- who may ------------------------------------------------------------------------------------------------------

    def _closed(self, handler: Handler) -> Handler:
        """`handler`, for those who may see the page."""

        async def handle(request: web.Request) -> web.StreamResponse:
            verdict = self._access.judge(_visitor(request))
            if verdict is Verdict.YES:
                return await handler(request)
            for_people = "text/html" in request.headers.get(hdrs.ACCEPT, "")
            if verdict is Verdict.TOKEN and for_people:
                raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
            if verdict is Verdict.TOKEN:
                return web.Response(status=401, text=f"{verdict.value}\n", headers={"WWW-Authenticate": "Bearer"})
            status = 403 if verdict is Verdict.ELSEWHERE else 503
            body = elsewhere() if verdict is Verdict.ELSEWHERE else no_token()
            return _html(body, status) if for_people else web.Response(status=status, text=f"{verdict.value}\n")

        return handle

    async def _login(self, request: web.Request) -> web.StreamResponse:
        if not self._access.by_token or self._access.judge(_visitor(request)) is Verdict.YES:
            raise web.HTTPSeeOther(_next(request.query.get("next", "")))
        return _html(login_page(_next(request.query.get("next", ""))))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        if (request.content_length or _LARGEST_FORM + 1) > _LARGEST_FORM:
            raise web.HTTPRequestEntityTooLarge(_LARGEST_FORM, request.content_length or 0)
        form = await request.post()
        brought, target = form.get("token"), form.get("next")
        place = _next(target if isinstance(target, str) else "")
        cookie = self._access.opens(brought) if isinstance(brought, str) else None
        if cookie is None:
            return _html(login_page(place, wrong=True), 401)
        response = web.HTTPSeeOther(place)
        secure = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        response.set_cookie(COOKIE, cookie, max_age=LASTS, path="/", httponly=True, samesite="Lax", secure=secure)
        raise response

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        response = web.HTTPSeeOther("/login")
        if request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin":
            response.del_cookie(COOKIE, path="/")
        raise response

    # -- what there is ------------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request, make: Callable[[], str]) -> web.StreamResponse:
        return _html(await self._turns.page(request.path_qs, self._view.stamp, make))

    async def _overview(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, lambda: overview(self._view.overall(), way_out=self._access.by_token))

    async def _objects(self, request: web.Request) -> web.StreamResponse:
        wanted = Filter.of(request.query)
        return await self._page(
            request,
            lambda: objects_page(self._view.overall(), wanted, _number(request), way_out=self._access.by_token),
        )

    async def _drift(self, request: web.Request) -> web.StreamResponse:
        return await self._page(
            request, lambda: drift_page(self._view.overall(), _number(request), way_out=self._access.by_token)
        )

    async def _sources(self, request: web.Request) -> web.StreamResponse:
        return await self._page(
            request, lambda: sources_page(self._view.overall(), _number(request), way_out=self._access.by_token)
        )

    async def _history(self, request: web.Request) -> web.StreamResponse:
        return await self._page(
            request, lambda: history_page(self._view.overall(), _number(request), way_out=self._access.by_token)
        )

    async def _planner(self, request: web.Request) -> web.StreamResponse:
        return await self._page(
            request, lambda: planner_page(self._view.overall(), _number(request), way_out=self._access.by_token)
        )

    async def _object(self, request: web.Request) -> web.StreamResponse:
        kind, dot, group = request.match_info["kind"].partition(".")
        namespace = request.match_info["namespace"]
        where = "" if namespace == "-" else namespace
        found = self._view.detail(group, kind, where, request.match_info["name"])
        if found is None and not dot:  # of any group, then
            found = self._view.detail(None, kind, where, request.match_info["name"])
        if found is None:
            return _html(nothing_here("There is no such object in any source."), 404)
        return await self._page(
            request, lambda: detail_page(found, self._view.overall(), way_out=self._access.by_token)
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        visitor = _visitor(request)
        return await self.feed.handle(request, lambda: self._access.judge(visitor) is Verdict.YES)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        wanted = Filter.of(request.query)
        return await self._json(request, lambda: document(self._view.overall(), wanted))

    async def _api_planner(self, request: web.Request) -> web.StreamResponse:
        workload = request.query.get("workload", "")
        return await self._json(request, lambda: planner_document(self._view.overall(), workload))

    async def _json(self, request: web.Request, make: Callable[[], object]) -> web.StreamResponse:
        def encoded() -> str:
            return msgspec.json.encode(make(), enc_hook=str).decode()

        body = await self._turns.page(request.path_qs, self._view.stamp, encoded)
        response = web.Response(text=body, content_type="application/json")
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        response.enable_compression()
        return response

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        kind = {hdrs.CONTENT_TYPE: f"{_STATIC[name]}; charset=utf-8", hdrs.CACHE_CONTROL: "no-cache"}
        response = web.Response(body=self._static[name], headers=kind)
        response.enable_compression()
        return response


async def _guard(_request: web.Request, response: web.StreamResponse) -> None:
    """Keep a browser from running or sending what is not ours."""
    response.headers.update(_SAFE)


def _visitor(request: web.Request) -> Visitor:
    return Visitor(
        request.remote or "",
        request.headers.get(hdrs.HOST, ""),
        request.headers.get(hdrs.AUTHORIZATION, ""),
        request.cookies.get(COOKIE, ""),
        forwarded=any(name in request.headers for name in _FORWARDED),
    )


def _html(body: str, status: int = 200) -> web.Response:
    response = web.Response(text=body, status=status, content_type="text/html")
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.enable_compression()
    return response


def _number(request: web.Request) -> int:
    asked = request.query.get("page", "1")
    return int(asked) if re.fullmatch("[0-9]{1,6}", asked) else 1


def _next(address: str) -> str:
    """Where to go after the login: a page of ours, whatever the address says."""
    return address if re.fullmatch(r"/(?![/\\])[!-~]*", address) else "/"
