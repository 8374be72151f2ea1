"""A real Gitea on loopback: upstream's own program with SQLite, and its API as its users use it."""

import base64
import contextlib
import itertools
import json
import os
import pwd
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

from go_program import GoProgram
from processes import free_port, until

MODULE: Final = "code.gitea.io/gitea"
PROGRAM: Final = GoProgram(
    Path(__file__).parents[1] / "forge" / "real",
    "gitea",
    "Gitea",
    4,
    ("-tags", "sqlite,sqlite_unlock_notify", "-ldflags", "-s -w"),
)
ADMIN: Final = "root-of-forge"
PASSWORD: Final = "a-password-of-some-length"
PAGE: Final = 2  # items that one answer has at most: so few that three pull requests are two pages

_INI: Final = """\
RUN_MODE = prod
RUN_USER = {user}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {folder}

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
STATIC_ROOT_PATH = {assets}
DISABLE_SSH = true
OFFLINE_MODE = true

[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db

[repository]
ROOT = {folder}/repositories

[security]
INSTALL_LOCK = true
PASSWORD_COMPLEXITY = off
PASSWORD_HASH_ALGO = pbkdf2$1$8

[service]
DISABLE_REGISTRATION = true

[api]
MAX_RESPONSE_ITEMS = {page}
DEFAULT_PAGING_NUM = {page}

[webhook]
ALLOWED_HOST_LIST = loopback

[indexer]
ISSUE_INDEXER_TYPE = db

[cron]
ENABLED = false

[actions]
ENABLED = false

[mirror]
ENABLED = false

[log]
MODE = console
LEVEL = Warn
"""


class Refused(Exception):
    """Gitea's answer to a request of the test, where it is not a success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class Gitea:
    """A running Gitea, and what its administrator can make there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count(1)

    def ask(self, method: str, path: str, body: Any = None, *, who: str = ADMIN) -> Any:
        """The answer to a request by one of the users. Raises Refused."""
        basic = base64.b64encode(f"{who}:{PASSWORD}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode(errors="replace")) from None

    def user(self, name: str) -> None:
        made = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "must_change_password": False}
        self.ask("POST", "/admin/users", made)

    def token(self, who: str, *scopes: str) -> str:
        """A new token of somebody."""
        asked = {"name": f"token-{next(self._numbers)}", "scopes": scopes}
        return str(self.ask("POST", f"/users/{who}/tokens", asked, who=who)["sha1"])

    def repository(self, owner: str, name: str) -> str:
        """An empty one; its full name."""
        made = self.ask("POST", "/user/repos", {"name": name, "default_branch": "main"}, who=owner)
        return str(made["full_name"])

    def remote(self, who: str, repository: str) -> str:
        """The address by which Git reaches a repository as one of the users."""
        return f"{self.url.replace('://', f'://{who}:{PASSWORD}@')}/{repository}.git"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Gitea]:
    """Compile it where that is needed, start it in the empty `folder`, and stop it. Raises Missing."""
    binary = PROGRAM.build()
    assets = binary.with_name("assets")
    if not assets.is_dir():
        draft = Path(f"{assets}.{os.getpid()}")
        for part in ("templates", "options", "public"):
            shutil.copytree(PROGRAM.source(MODULE) / part, draft / part)
        draft.rename(assets)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    user = pwd.getpwuid(os.getuid()).pw_name
    (folder / "app.ini").write_text(_INI.format(user=user, folder=folder, port=port, url=url, assets=assets, page=PAGE))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    command = [str(binary), "--config", str(folder / "app.ini"), "--work-path", str(folder)]
    said = {"cwd": folder, "env": environment, "check": True, "capture_output": True, "timeout": 120}
    subprocess.run([*command, "migrate"], **said)
    account = ["--username", ADMIN, "--password", PASSWORD, "--email", f"{ADMIN}@example.com"]
    subprocess.run([*command, "admin", "user", "create", "--admin", "--must-change-password=false", *account], **said)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "web"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
        )
        try:
            until(lambda: server.poll() is not None or _answers(url), "Gitea answers", seconds=120)
            assert server.poll() is None, (folder / "log").read_text()[-4000:]
            yield Gitea(url)
        finally:
            server.terminate()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            if server.stdin is not None:
                server.stdin.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/version", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
