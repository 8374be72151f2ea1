"""Questions in PromQL, answers as series. https://prometheus.io/docs/prometheus/latest/querying/api/"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from reconciler.errors import QueryFailed, QueryUnanswered, TransportError
from reconciler.http.transport import Request, Response, Transport
from reconciler.model.usage import Series

_LIMIT: Final = 64 * 1024 * 1024  # bytes of one answer
_HEADERS: Final = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_SHOWN: Final = 80  # characters of a query in an error


class _Row(msgspec.Struct):
    """Of a vector (`value`) or a matrix (`values`): pairs of seconds since 1970 and a number as text."""

    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Answer(msgspec.Struct, rename="camel"):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""


class Prometheus:
    """One server that answers PromQL: Prometheus itself, Thanos, Mimir, VictoriaMetrics.

    The transport has its address; `token` is a bearer token, "" for none.
    """

    def __init__(self, transport: Transport, *, token: str = "", timeout: float = 30.0) -> None:
        self._transport = transport
        self._credentials = {"authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout

    async def instant(self, query: str, at: datetime) -> tuple[Series, ...]:
        """The value of each series at one moment. Raises QueryFailed where the query is wrong, else QueryUnanswered."""
        return await self._ask("query", query, (("time", _seconds(at)),))

    async def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> tuple[Series, ...]:
        """Each series from `start` to `end`, both included. Raises as `instant`."""
        span = (("start", _seconds(start)), ("end", _seconds(end)), ("step", f"{step.total_seconds():.3f}"))
        found = await self._ask("query_range", query, span)
        return tuple(_between(series, start, end) for series in found)

    async def _ask(self, path: str, query: str, more: Sequence[tuple[str, str]]) -> tuple[Series, ...]:
        where = _shown(query)
        # As a form: an address has a limit, a query may have none.
        body = urlencode((("query", query), *more, ("timeout", f"{self._timeout:g}s"))).encode()
        request = Request(
            "POST",
            f"/api/v1/{path}",
            headers={**_HEADERS, **self._credentials},
            body=body,
            timeout=self._timeout,
            limit=_LIMIT,
        )
        try:
            response = await self._transport.send(request)
        except TransportError as error:
            what = "the metrics server does not answer"
            raise QueryUnanswered(what, where=where, why=str(error), hint=error.hint) from error
        return _series(response, where)


def single(query: str, found: Sequence[Series]) -> float:
    """The one value that `query` found at a moment. Raises QueryFailed where it found none, or more."""
    where = _shown(query)
    if not found:
        hint = "where nothing means none, add: or vector(0)"
        raise QueryFailed("the query finds nothing", where=where, hint=hint)
    if len(found) > 1:
        raise QueryFailed(f"the query finds {len(found)} series, not one", where=where, hint="sum(…) makes one of them")
    if not found[0].values or found[0].values[-1] < 0:
        raise QueryFailed("the query finds no amount", where=where, why="it is negative, infinite or NaN")
    return found[0].values[-1]


def _shown(query: str) -> str:
    return query if len(query) <= _SHOWN else f"{query[:_SHOWN]}…"


def _series(response: Response, where: str) -> tuple[Series, ...]:
    try:
        answer = msgspec.json.decode(response.body, type=_Answer)
    except (msgspec.MsgspecError, RecursionError):
        hint = "is the address that of the server's API, without /api/v1?" if response.status < 500 else ""
        why = f"HTTP {response.status} without an answer of its API"
        raise QueryUnanswered("the metrics server gives no usable answer", where=where, why=why, hint=hint) from None
    if answer.status != "success" or answer.data is None:
        if answer.error_type in ("bad_data", "execution"):
            raise QueryFailed("the query is not understood", where=where, why=answer.error)
        raise QueryUnanswered("the query could not be answered", where=where, why=answer.error)
    try:
        return tuple(_rows(answer.data))
    except (ValueError, OverflowError, OSError, RecursionError) as error:
        raise QueryUnanswered("the metrics server gives no usable answer", where=where, why=str(error)) from None


def _rows(data: _Data) -> list[Series]:
    if data.result_type in ("scalar", "string"):
        pair = msgspec.json.decode(data.result, type=tuple[float, str])
        return [_one({}, [pair])] if data.result_type == "scalar" else []
    rows = msgspec.json.decode(data.result, type=list[_Row])
    return [_one(row.metric, row.values or ([row.value] if row.value else [])) for row in rows]


def _one(labels: dict[str, str], pairs: Sequence[tuple[float, str]]) -> Series:
    """Without what is no number: Prometheus says NaN where it divides by nothing, and for a series that ended."""
    finite: list[tuple[datetime, float]] = []
    for seconds, text in pairs:
        value = float(text)
        if math.isfinite(value):
            finite.append((datetime.fromtimestamp(seconds, UTC), value))
    own: Any = {name: value for name, value in labels.items() if name != "__name__"}
    return Series(own, tuple(when for when, _ in finite), tuple(value for _, value in finite))


def _between(series: Series, start: datetime, end: datetime) -> Series:
    """Without what nobody asked about: it would push what was out of what is kept."""
    kept = [(when, value) for when, value in zip(series.times, series.values, strict=True) if start <= when <= end]
    return Series(series.labels, tuple(when for when, _ in kept), tuple(value for _, value in kept))


def _seconds(when: datetime) -> str:
    return f"{when.timestamp():.3f}"
