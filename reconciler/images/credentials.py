"""Credentials for registries, from the file that container tools share.

    {"auths": {"registry.example.com": {"auth": "<base64 of user:password>"},
               "quay.io/shop":         {"username": "robot", "password": "…"},
               "ghcr.io":              {"identitytoken": "…"}},
     "credHelpers": {"123.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login"},
     "credsStore": "desktop"}

That is docker's `config.json`, podman's `auth.json` and what a Secret of type kubernetes.io/dockerconfigjson holds.
A key may name a registry or the beginning of a repository's path; the longest that fits wins. A helper is a program
that the file names, so it runs only where the daemon's own configuration allows it by name.
"""

import asyncio
import base64
import binascii
import contextlib
import json
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ImageRefused, RegistryDenied
from reconciler.images.reference import HUB, Repository

_HUB_KEYS: Final = (HUB, "index.docker.io", "registry-1.docker.io", "index.docker.io/v1", "index.docker.io/v2")
_HUB_SERVER: Final = "https://index.docker.io/v1/"  # what a helper is asked for
_HELPER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HELPER_TIMEOUT: Final = 20.0  # seconds
_TOKEN_USER: Final = "<token>"  # noqa: S105 - a helper's word for "the secret is an identity token"
_MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's name and password, or an identity token that buys access tokens."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class Keychain:
    """The credentials of the file at `path`, read anew whenever it changes; none without a path.

    `helpers` are those that may run, by the name that follows `docker-credential-`.
    """

    def __init__(self, path: Path | None = None, helpers: frozenset[str] = frozenset()) -> None:
        self._path = path
        self._allowed = helpers
        self._stamp: tuple[int, int, int] | None = None
        self._config: Mapping[str, Any] = {}

    async def find(self, repository: Repository) -> Credentials | None:
        """The credentials for `repository`, None where the file has none.

        Raises ImageRefused for a file that cannot be used or a helper that is not allowed, RegistryDenied for a helper
        that fails.
        """
        config = self._read()
        key, stated = _longest(_section(config, "auths", self._where), repository)
        helper_key, helper = _longest(_section(config, "credHelpers", self._where), repository)
        store = config.get("credsStore")
        if helper_key is not None:
            return await self._ask(helper, repository)
        if key is not None and (found := _stated(stated, f"{self._where}: {key}")):
            return found
        return await self._ask(store, repository) if store else None

    @property
    def _where(self) -> str:
        return str(self._path)

    def _read(self) -> Mapping[str, Any]:
        if self._path is None:
            return {}
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                if status.st_size > _MAX_BYTES:
                    raise ImageRefused("the file of registry credentials is too large", where=self._where)
                loaded = json.loads(self._path.read_bytes())
                if not isinstance(loaded, dict):
                    raise ImageRefused("the file of registry credentials is not an object of JSON", where=self._where)
                self._config, self._stamp = loaded, stamp
        except OSError as error:
            raise ImageRefused(
                "the file of registry credentials cannot be read", where=self._where, why=error.strerror or str(error)
            ) from None
        except ValueError:  # the reason would show a part of the file
            raise ImageRefused("the file of registry credentials is not JSON", where=self._where) from None
        return self._config

    async def _ask(self, helper: object, repository: Repository) -> Credentials | None:
        if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
            raise ImageRefused("the name of a credential helper cannot be used", where=self._where)
        if helper not in self._allowed:
            raise ImageRefused(
                f"the file names the credential helper {helper!r}, which is not allowed",
                where=self._where,
                hint=f"add {helper} to registries.helpers of the daemon's configuration, or state the credentials",
            )
        server = _HUB_SERVER if repository.registry == HUB else repository.registry
        said = await _run(f"docker-credential-{helper}", server)
        if said is None:
            return None
        username, secret = said.get("Username"), said.get("Secret")
        if not isinstance(username, str) or not isinstance(secret, str):
            raise RegistryDenied(f"the credential helper {helper} answered nothing that can be used")
        return Credentials(identity_token=secret) if username == _TOKEN_USER else Credentials(username, secret)


def _section(config: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = config.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ImageRefused(f"{name} is not an object", where=where)
    return found


def _longest(section: Mapping[str, Any], repository: Repository) -> tuple[str | None, Any]:
    """The key of the most specific entry for `repository`, and its value."""
    whole = str(repository)
    best: tuple[int, str, Any] | None = None
    for key, value in section.items():
        name = key.removeprefix("https://").removeprefix("http://").rstrip("/")
        if name in _HUB_KEYS:
            name = HUB
        name = name.removesuffix("/v1").removesuffix("/v2")  # as old clients wrote any registry
        if (whole == name or whole.startswith(f"{name}/")) and (best is None or len(name) > best[0]):
            best = (len(name), key, value)
    return (best[1], best[2]) if best else (None, None)


def _stated(entry: object, where: str) -> Credentials | None:
    """The credentials that one entry of `auths` holds, None for an empty one (a helper's mark)."""
    if not isinstance(entry, dict):
        raise ImageRefused("the entry is not an object", where=where)
    fields = {name: entry.get(name) or "" for name in ("auth", "username", "password", "identitytoken")}
    if not all(isinstance(value, str) for value in fields.values()):
        raise ImageRefused("a field of the entry is not a string", where=where)
    if fields["identitytoken"]:
        return Credentials(identity_token=fields["identitytoken"])
    if fields["auth"]:
        try:
            user, colon, password = base64.b64decode(fields["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise ImageRefused("auth is not the base64 of user:password", where=where)
        return Credentials(user, password.rstrip("\0"))
    return Credentials(fields["username"], fields["password"]) if fields["username"] else None


async def _run(program: str, server: str) -> Mapping[str, Any] | None:
    """What a helper says of `server`, None when it has no credentials. Its words may be secrets: none is repeated."""
    try:
        child = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise RegistryDenied(f"the credential helper {program} cannot be run", why=error.strerror or "") from None
    try:
        async with asyncio.timeout(_HELPER_TIMEOUT):
            output, _ = await child.communicate(server.encode())
    except TimeoutError:
        raise RegistryDenied(f"{program} did not answer within {_HELPER_TIMEOUT:g} s") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    if child.returncode:
        if b"credentials not found" in output:  # the helpers' protocol says it in these words
            return None
        raise RegistryDenied(f"the credential helper {program} failed", why=f"exit status {child.returncode}")
    try:
        said = json.loads(output)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise RegistryDenied(f"the credential helper {program} answered nothing that can be used")
    return said
