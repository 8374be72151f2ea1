"""What Git is told, and what it is kept from: the variables of every command.

No configuration but the repository's own and ours, no hook, no fsmonitor, no submodules, no prompt, and one transport:
that of the source's URL. Credentials never stand on a command line or in a variable: a credential helper reads the
file, and answers for the source's own host only. Redirects are not followed. An ssh server must be known beforehand.
"""

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from reconciler.errors import SourceError
from reconciler.model.config import GitCredentials
from reconciler.source.address import Address, Scheme

_HELPER: Final = (
    '!f() { test "$1" = get || exit 0; IFS= read -r p < "$RECONCILER_GIT_PASSWORD_FILE" || test -n "$p" || exit 1; '
    'printf "username=%s\\npassword=%s\\n" "$RECONCILER_GIT_USERNAME" "$p"; }; f'
)

_CONFIG: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "credential.helper": "",
    "http.followRedirects": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",  # a job has ended when its command has
    "maintenance.autoDetach": "false",
    "fetch.fsckObjects": "true",
    # Harmless, and in the history of many an old repository:
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.badDate": "ignore",
    "fetch.fsck.missingEmail": "ignore",
    "fetch.fsck.badEmail": "ignore",
    "fetch.fsck.missingNameBeforeEmail": "ignore",
    "fetch.fsck.badName": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.missingSpaceBeforeEmail": "ignore",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
    "fetch.fsck.zeroPaddedDate": "ignore",
    "fetch.fsck.badFilemode": "ignore",
    "fetch.fsck.missingTaggerEntry": "ignore",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How Git is run for one source. `observe` is told each command before it runs, for counting."""

    environment: Mapping[str, str]
    timeout: float = 60.0  # seconds for one command
    observe: Callable[[tuple[str, ...]], None] = field(default=lambda _command: None)


def environment(address: Address | None, credentials: GitCredentials, ssh: str = "ssh") -> dict[str, str]:
    """The variables for every command on a source at `address`; `ssh` is the program that speaks ssh.

    Without an address no transport is allowed at all.
    """
    config = dict(_CONFIG)
    shown = {
        "GIT_ALLOW_PROTOCOL": address.scheme.value if address else "none",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
    }
    if address and address.scheme in (Scheme.HTTPS, Scheme.HTTP):
        if credentials.password_file:
            config[f"credential.{address.origin}.helper"] = _HELPER
            shown["RECONCILER_GIT_USERNAME"] = credentials.username
            shown["RECONCILER_GIT_PASSWORD_FILE"] = credentials.password_file
        if credentials.ca_file:
            shown["GIT_SSL_CAINFO"] = credentials.ca_file  # as a variable: the caller's own would outdo http.sslCAInfo
    if address and address.scheme is Scheme.SSH:
        shown["GIT_SSH_COMMAND"] = _ssh(ssh, credentials)
        shown["GIT_SSH_VARIANT"] = "ssh"
    for number, (key, value) in enumerate(config.items()):
        shown[f"GIT_CONFIG_KEY_{number}"] = key
        shown[f"GIT_CONFIG_VALUE_{number}"] = value
    shown["GIT_CONFIG_COUNT"] = str(len(config))
    return shown


def check_readable(credentials: GitCredentials) -> None:
    """Raises SourceError for a file of `credentials` that cannot be read: Git would only say that it was refused."""
    for name, path in msgspec.structs.asdict(credentials).items():
        if name.endswith("_file") and path and not os.access(path, os.R_OK):
            raise SourceError("a file of the source's credentials cannot be read", where=path)


def _ssh(program: str, credentials: GitCredentials) -> str:
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20", "ForwardAgent=no"]
    if credentials.known_hosts_file:
        options.append(f"UserKnownHostsFile={_quoted(credentials.known_hosts_file)}")
    command = [program, "-F", os.devnull]
    if credentials.ssh_key_file:
        options.append("IdentitiesOnly=yes")
        command += ["-i", credentials.ssh_key_file]
    for option in options:
        command += ["-o", option]
    return shlex.join(command)


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path  # ssh takes several files, separated by spaces
