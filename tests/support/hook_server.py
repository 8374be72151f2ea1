"""An HTTP server on loopback that takes what receivers of alerts are sent, with faults to order.

with HookServer() as hook:
    hook.url("/services/secret")          # http://127.0.0.1:<port>/services/secret
    hook.answers = [429, 503, 200]        # of the next requests; the last one stays; HANG takes and never answers
    hook.taken                            # the requests so far, in order
    hook.on_taken = process.kill          # called when a request is there, before it is answered

    with HookServer((certificate, key)) as hook:   # the same over https
"""

import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from processes import until

HANG: Final = 0
DROP: Final = -1


class Taken(NamedTuple):
    """One request. Header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    answer: int


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate, or was killed, turns away: no traceback for that."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class HookServer:
    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.answers = [200]
        self.headers: dict[str, str] = {}  # of each answer that is no success
        self.said = b"ok"
        self.taken: list[Taken] = []
        self.on_taken: Callable[[], object] = lambda: None
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, path: str = "/") -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{path}"

    @property
    def accepted(self) -> list[Taken]:
        return [each for each in self.taken if 200 <= each.answer < 300]

    def wait(self, count: int) -> None:
        """Return once `count` requests were taken."""
        until(lambda: len(self.taken) >= count, f"{count} requests")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.on_taken()
                outer.taken.append(Taken(self.path, headers, body, answer))
                if answer == HANG:
                    outer._released.wait()
                if answer <= HANG:
                    self.close_connection = True
                    return
                self.send_response(answer)
                for name, value in outer.headers.items() if answer >= 300 else ():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.said)))
                self.end_headers()
                self.wfile.write(outer.said)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        return Handler
