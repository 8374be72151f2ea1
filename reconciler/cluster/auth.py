"""Who we are to the API server: the official client reads the configuration, nothing else of it is used.

It knows kubeconfigs, contexts, in-cluster service accounts, exec plugins and token refresh. Importing it costs 0.15 s
and 25 MB, whichever module of it is named, so it is imported where it is used, in a thread. A kubeconfig may name a
program to run: its path comes from the daemon's configuration or the command line, never from a watched repository.
"""

import asyncio
import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.clock import Clock
from reconciler.errors import ConfigError

FRESH: Final = 15.0  # seconds for which a header is used without asking the official client whether it expired


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API server is. `proxy` is for the way there, `server_hostname` the name its certificate must have.

    `ssl` is as of the loading; `Credentials.tls` knows renewed certificates.
    """

    url: str
    ssl: ssl.SSLContext | None
    server_hostname: str | None = None
    proxy: str | None = None


class Credentials:
    """Credentials of one kubeconfig context or of the pod that we run in."""

    def __init__(self, kubeconfig: str | None, context: str | None, clock: Clock) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._clock = clock
        self._configuration: Any = None  # kubernetes.client.Configuration
        self._headers: Mapping[str, str] = {}
        self._tls: ssl.SSLContext | None = None
        self._files = b""  # what `_tls` was made from
        self._asked = self._renewed = -math.inf
        self._asking = asyncio.Lock()

    async def load(self) -> Endpoint:
        """Read the configuration. Raises ConfigError when there is none or it cannot be used."""
        self._configuration = await asyncio.to_thread(_load, self._kubeconfig, self._context)
        configuration = self._configuration
        await asyncio.to_thread(self._read_certificates)
        return Endpoint(
            configuration.host,
            self._tls,
            configuration.tls_server_name or None,
            _proxy(configuration),
        )

    def tls(self) -> ssl.SSLContext | None:
        """The certificates for one connection: another object than before once they were found to be renewed."""
        return self._tls

    async def headers(self, refused: bool) -> Mapping[str, str]:
        """The headers for one request. A token that is about to expire is renewed.

        `refused` reads all anew, the certificates too. Raises ConfigError where they cannot be read any more.
        """
        if self._clock.monotonic() - (self._renewed if refused else self._asked) < FRESH:
            return self._headers
        wanted = self._clock.monotonic()
        async with self._asking:
            if self._asked < wanted:
                if refused:
                    self._configuration = await asyncio.to_thread(_load, self._kubeconfig, self._context)
                    await asyncio.to_thread(self._read_certificates)
                    self._renewed = wanted
                value = await asyncio.to_thread(_authorization, self._configuration)
                self._headers = {"authorization": value} if value else {}
                self._asked = self._clock.monotonic()
        return self._headers

    def _read_certificates(self) -> None:
        """Make a new context where the files hold something else than before."""
        configuration = self._configuration
        if not configuration.host.startswith("https:"):
            return
        names = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
        try:
            files = b"\0".join(Path(name).read_bytes() if name else b"" for name in names)
        except OSError as error:
            raise ConfigError("the certificates of the kubeconfig cannot be used", why=str(error)) from error
        if self._tls is None or files != self._files:
            self._tls, self._files = _tls(configuration), files


def _load(kubeconfig: str | None, context: str | None) -> Any:
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        if kubeconfig is not None and not Path(kubeconfig).expanduser().is_file():
            raise ConfigError("there is no kubeconfig here", where=kubeconfig, hint="name the file that kubectl uses")
        files = kubeconfig or config.KUBE_CONFIG_DEFAULT_LOCATION
        found = any(Path(name).expanduser().is_file() for name in files.split(":"))
        if found:
            config.load_kube_config(files, context, client_configuration=configuration, persist_config=False)
        elif context is not None:
            raise ConfigError(f"there is no kubeconfig to take the context {context!r} from", where=files)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise ConfigError(
            "there is no way to the cluster",
            where=kubeconfig or "",
            why=str(error) if found else f"there is no file {files}, and this is not a pod",
            hint="name a kubeconfig with --kubeconfig or $KUBECONFIG, or run inside the cluster",
        ) from None
    except ConfigError:
        raise
    except Exception as error:  # a kubeconfig that is not YAML, lists that are maps, unreadable certificates …
        raise ConfigError(
            "the kubeconfig cannot be used",
            where=kubeconfig or "",
            why=type(error).__name__,  # its text may quote a credential
            hint="does `kubectl config view` read it?",
        ) from error
    return configuration


def _tls(configuration: Any) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
        if not configuration.verify_ssl:  # the kubeconfig says insecure-skip-tls-verify
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("the certificates of the kubeconfig cannot be used", why=str(error)) from error
    return context


def _proxy(configuration: Any) -> str | None:
    host = urlsplit(configuration.host).hostname or ""
    direct = [name.strip().lstrip("*.") for name in (configuration.no_proxy or "").split(",") if name.strip()]
    if any(f".{host}".endswith(f".{name}") for name in direct):
        return None
    return configuration.proxy or None


def _authorization(configuration: Any) -> str:
    """The Authorization header; the official client refreshes an expired token on the way (`refresh_api_key_hook`)."""
    value: str = configuration.get_api_key_with_prefix("BearerToken") or ""
    return value or (configuration.get_basic_auth_token() if configuration.username else "") or ""
