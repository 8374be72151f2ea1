"""Real Git servers for tests, on loopback.

`git http-backend` as CGI behind a small HTTP server, with faults to order:

    with GitServer(folder) as server:
        server.url("shop.git")                # http://127.0.0.1:<port>/shop.git
        server.fault = Fault.HANG             # what happens to every request from now on
        server.requests                       # (method, path, authorization header or "") of each, in order

    with GitServer(folder, certificate=(certificate, key)) as server:   # the same over https

and sshd, of the package openssh-server:

    with SshServer(sshd, folder, authorized=public_key) as server:
        server.url("/srv/shop.git")           # ssh://127.0.0.1:<port>/srv/shop.git
        server.known_hosts                    # the line by which a client knows it
"""

import base64
import os
import subprocess
import threading
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from loopback import Handler, LoopbackServer
from processes import free_port, until


class Fault(Enum):
    NONE = "none"
    HANG = "hang"  # take the request and never answer
    HANG_PACK = "hang pack"  # tell the refs, then never send the objects
    ERROR = "500"
    DROP = "drop"  # close the connection
    GARBAGE = "garbage"  # 200 with something that is not Git's protocol
    REDIRECT = "redirect"  # to `redirect_to`


class GitServer(LoopbackServer):
    """Serves the repositories below `root` for reading. With `password` only to user "git" with it.

    With `certificate` (its file and its key's, of PEM) it speaks https.
    """

    def __init__(
        self, root: Path, password: str | None = None, *, certificate: tuple[Path, Path] | None = None
    ) -> None:
        super().__init__(self._handler(), certificate)
        self.root = root
        self.password = password
        self.fault = Fault.NONE
        self.redirect_to = ""
        self.requests: list[tuple[str, str, str]] = []
        self.hanging = threading.Event()  # set as soon as a request hangs

    def authorized(self, header: str) -> bool:
        if self.password is None:
            return True
        return header == "Basic " + base64.b64encode(f"git:{self.password}".encode()).decode()

    def _handler(self) -> type[Handler]:
        outer = self

        class Answering(Handler):
            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def _answer(self, body: bytes) -> None:
                authorization = self.headers.get("Authorization") or ""
                outer.requests.append((self.command, self.path, authorization))
                fault = outer.fault
                asks_objects = self.command == "POST" and b"command=fetch" in body
                if fault is Fault.HANG or (fault is Fault.HANG_PACK and asks_objects):
                    outer.hanging.set()
                    outer.released.wait()
                    self.close_connection = True
                elif fault is Fault.DROP:
                    self.close_connection = True
                elif fault is Fault.ERROR:
                    self.reply(500, {}, b"out of order")
                elif fault is Fault.GARBAGE:
                    self.reply(200, {"Content-Type": "text/html"}, b"<html>\n<p>Please log in.</p>\n</html>\n")
                elif fault is Fault.REDIRECT:
                    self.reply(302, {"Location": outer.redirect_to + self.path}, b"")
                elif not outer.authorized(authorization):
                    self.reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                else:
                    self._git(body)

            def _git(self, body: bytes) -> None:
                path, _, query = self.path.partition("?")
                environment = {
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(outer.root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_CONFIG_GLOBAL": os.devnull,
                    "GIT_CONFIG_NOSYSTEM": "1",
                    "REQUEST_METHOD": self.command,
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
                    "REMOTE_ADDR": "127.0.0.1",
                }
                answer = subprocess.run(
                    ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
                ).stdout
                head, _, content = answer.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
                status = int(headers.pop("Status", "200").split()[0])
                self.reply(status, headers, content)

        return Answering


class SshServer:
    """sshd as a process of the current user, with a host key of its own, for the bearer of one key."""

    def __init__(self, program: Path, folder: Path, *, authorized: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        host_key = make_ssh_key(folder / "host")
        self.known_hosts = f"[127.0.0.1]:{self.port} {host_key.with_suffix('.pub').read_text()}"
        config = folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f'HostKey "{host_key}"\n'
            f'AuthorizedKeysFile "{authorized}"\n'
            f'SetEnv GIT_CONFIG_GLOBAL=/dev/null "PATH={os.environ["PATH"]}"\n'
            "AuthenticationMethods publickey\nStrictModes no\nPidFile none\n"
        )
        if not os.geteuid():
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd starts for root only where this is
        self._log = folder / "sshd.log"
        self._command = [str(program), "-D", "-e", "-f", str(config)]

    def url(self, path: str) -> str:
        return f"ssh://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stderr=log)
        try:
            until(self._listens, "sshd listens")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _listens(self) -> bool:
        said = self._log.read_text(errors="replace")
        assert self._process.poll() is None, f"sshd did not start: {said}"
        return "Server listening on" in said

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


def make_ssh_key(path: Path, *, passphrase: str = "") -> Path:
    """Write a new private key to `path` and the public one beside it as `path`.pub."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", path], check=True)
    return path
