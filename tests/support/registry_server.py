"""Debian's docker-registry as a process on loopback: open, with a password, with tokens, or with TLS.

    with RegistryServer(folder) as server:
        server.host                           # 127.0.0.1:<port>
        server.name("shop/web")               # 127.0.0.1:<port>/shop/web
        server.requests()                     # "HEAD /v2/shop/web/manifests/1" of each answered so far, in order

The only user that a server with `password=True` knows is "ada" with the password "s3cret".
"""

import json
import re
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from debian import which
from processes import free_port, until
from token_server import ISSUER, SERVICE, TokenServer

USER: Final = "ada"
PASSWORD: Final = "s3cret"
_HTPASSWD: Final = "$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG"  # bcrypt of PASSWORD
_REQUEST: Final = re.compile(r'"([A-Z]+ \S+) HTTP/[0-9.]+" (\d+)')


class RegistryServer:
    def __init__(
        self,
        folder: Path,
        *,
        password: bool = False,
        tokens: TokenServer | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if certificate else 'http'}://{self.host}"
        http: dict[str, object] = {"addr": self.host, "secret": "of this test"}
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "data")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": http,
        }
        if certificate:
            http["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
        if password:
            (folder / "htpasswd").write_text(f"{USER}:{_HTPASSWD}\n")
            config["auth"] = {"htpasswd": {"realm": "registry", "path": str(folder / "htpasswd")}}
        if tokens is not None:
            sold = {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER}
            config["auth"] = {"token": {**sold, "rootcertbundle": str(tokens.certificate)}}
        (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        self._log = folder / "log"
        self._log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def name(self, path: str) -> str:
        return f"{self.host}/{path}"

    def start(self) -> None:
        """Also again after `stop`, at the same port and with what it had."""
        begun = len(self._log.read_bytes())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [which("docker-registry") or "docker-registry", "serve", str(self.folder / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: self._listens(begun), "docker-registry listens")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def requests(self, *methods: str) -> Sequence[str]:
        """Method and path of the requests that were answered so far; only of these methods where some are named."""
        found = _REQUEST.findall(self._log.read_text(errors="replace"))
        return [request for request, _status in found if not methods or request.split()[0] in methods]

    def _listens(self, begun: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[begun:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
