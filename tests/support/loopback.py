"""HTTP servers on loopback, at a port that is free: one in threads of its own, and one on the test's loop."""

import ssl
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, and writes nothing to the test's standard error."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass

    def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        """The whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate, or was killed, turns away: no traceback for that."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class LoopbackServer:
    """Use as a context manager. With `certificate` (its file and its key's, of PEM) it speaks https.

    What waits for `released` is let go when the server ends.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], certificate: tuple[Path, Path] | None = None) -> None:
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), handler)
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, path: str = "/") -> str:
        slash = "/" if path and not path.startswith("/") else ""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{slash}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@asynccontextmanager
async def served(
    application: web.Application, *, tls: ssl.SSLContext | None = None, patience: float = 1.0
) -> AsyncIterator[str]:
    """Serve `application` on this loop; its URL. In the end its connections have `patience` seconds to finish."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=patience, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
