"""/healthz, /readyz, /metrics, webhooks and the status page over HTTP."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder

from reconciler.daemon.metrics import Metrics
from reconciler.errors import ConfigError


class Part(Protocol):
    """Something else that is served: the status page, the webhooks."""

    def add_to(self, app: web.Application) -> None: ...


def split_address(listen: str) -> tuple[str, int]:
    """`host:port` as a pair; an IPv6 host stands in brackets. Raises ConfigError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{listen!r} is not an address to listen on", hint='write host and port: "0.0.0.0:8080"')
    return host.strip("[]"), int(port)


@asynccontextmanager
async def endpoints(
    listen: str, metrics: Metrics, waiting_for: Callable[[], list[str]], parts: Sequence[Part] = ()
) -> AsyncIterator[str]:
    """Serve until the context ends; yields the URL. `waiting_for` names what is not ready yet, in words."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        missing = waiting_for()
        return web.Response(status=503 if missing else 200, text="".join(f"{line}\n" for line in missing) or "ok\n")

    async def scrape(request: web.Request) -> web.Response:
        encode, form = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        response = web.Response(body=encode(metrics.registry), headers={hdrs.CONTENT_TYPE: form})
        response.enable_compression()
        return response

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    for part in parts:
        part.add_to(app)
    # Bodies stay as they came: what is signed is that, and nobody unpacks what a stranger packed.
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1, auto_decompress=False)
    await runner.setup()
    try:
        host, port = split_address(listen)
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"cannot listen on {listen}", why=error.strerror or str(error)) from None
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
