"""An HTTP server on loopback that takes what receivers of alerts are sent, with faults to order.

with HookServer() as hook:
    hook.url("/services/secret")          # http://127.0.0.1:<port>/services/secret
    hook.answers = [429, 503, 200]        # of the next requests; the last one stays; HANG takes and never answers
    hook.taken                            # the requests so far, in order
    hook.on_taken = process.kill          # called when a request is there, before it is answered

    with HookServer((certificate, key)) as hook:   # the same over https
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from loopback import Handler, LoopbackServer
from processes import until

HANG: Final = 0
DROP: Final = -1


class Taken(NamedTuple):
    """One request. Header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    answer: int


class HookServer(LoopbackServer):
    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(self._handler(), certificate)
        self.answers = [200]
        self.headers: dict[str, str] = {}  # of each answer that is no success
        self.said = b"ok"
        self.taken: list[Taken] = []
        self.on_taken: Callable[[], object] = lambda: None

    @property
    def accepted(self) -> list[Taken]:
        return [each for each in self.taken if 200 <= each.answer < 300]

    def wait(self, count: int) -> None:
        """Return once `count` requests were taken."""
        until(lambda: len(self.taken) >= count, f"{count} requests")

    def _handler(self) -> type[Handler]:
        outer = self

        class Answering(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.on_taken()
                outer.taken.append(Taken(self.path, headers, body, answer))
                if answer == HANG:
                    outer.released.wait()
                if answer <= HANG:
                    self.close_connection = True
                    return
                self.reply(answer, outer.headers if answer >= 300 else {}, outer.said)

        return Answering
