"""Demand for the demo: nobody uses its shop, so a stand-in for a Prometheus tells of a fortnight that never was."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

from aiohttp import web

QUERY: Final = 'sum(rate(http_requests_total{app="search"}[5m]))'
_DAY: Final = 86_400.0
_MEAN, _SWING, _NOISE = 100.0, 55.0, 4.0  # requests per second
_SPAN: Final = ("start", "end", "step")
_STEP: Final = 300.0  # that a deviation from the day's curve lasts


@asynccontextmanager
async def made_up_demand(began: float) -> AsyncIterator[str]:
    """The address of a server that answers `QUERY`, and finds nothing for any other.

    Demand follows the day: at `began`, seconds since 1970, it rises.
    """

    async def asked(request: web.Request) -> web.Response:
        form = await request.post()
        at = [float(str(form["time"]))] if "time" in form else _steps(*(float(str(form[name])) for name in _SPAN))
        return web.json_response(
            _answer([(when, _demand(when - began)) for when in at], known=form.get("query") == QUERY)
        )

    app = web.Application()
    app.add_routes([web.post(f"/api/v1/{path}", asked) for path in ("query", "query_range")])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _steps(start: float, end: float, step: float) -> list[float]:
    return [start + step * n for n in range(int((end - start) / step) + 1)]


def _demand(since: float) -> float:
    noise = Random(math.floor(since / _STEP)).gauss(0, _NOISE)  # noqa: S311 - the same for each who asks
    return _MEAN + _SWING * math.sin(2 * math.pi * since / _DAY) + noise


def _answer(values: Sequence[tuple[float, float]], *, known: bool) -> dict[str, Any]:
    pairs = [(when, str(value)) for when, value in values]
    one = len(pairs) == 1
    row = {"metric": {}, "value": pairs[0]} if one else {"metric": {}, "values": pairs}
    return {
        "status": "success",
        "data": {"resultType": "vector" if one else "matrix", "result": [row] if known else []},
    }
