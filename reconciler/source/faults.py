"""What Git's complaints mean: its last words to one of our errors, with advice.

Git has one exit code for everything, so its English sentences decide. What no rule knows stays a GitFailed with Git's
own words. Order matters: the first rule that fits wins.
"""

import re
from typing import Final, NamedTuple

from reconciler.errors import SourceError, SourceMissing, SourceRefused, SourceUnreachable
from reconciler.source.process import GitFailed, printable


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    kind: type[SourceError]
    what: str
    hint: str = ""


def _rule(pattern: str, kind: type[SourceError], what: str, hint: str = "") -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), kind, what, hint)


_RULES: Final = (
    _rule(
        r"no space left|disk quota exceeded|read-only file system",
        SourceError,
        "the mirror cannot be written",
        "the cache directory needs space",
    ),
    _rule(
        r"cannot run |not a git command|unable to find remote helper|: \d+: \S+: not found|command not found",
        SourceError,
        "a program that Git needs for this URL is not installed",
    ),
    _rule(
        r"host key for [^\n]* has changed",
        SourceError,
        "the Git server's host key is not the one in credentials.knownHostsFile",
        "either the server has a new key or somebody is in between: ask its operator before you change the file",
    ),
    _rule(
        r"host key verification failed|no .* host key is known",
        SourceError,
        "the Git server's host key is not known",
        "put its line into the file credentials.knownHostsFile; verify it first",
    ),
    _rule(
        r"load key [^\n]*: bad permissions(?=[\s\S]*permission denied \()",
        SourceError,
        "ssh does not use the private key: others than its owner may read the file",
        "give the file of credentials.sshKeyFile the mode 0400",
    ),
    _rule(
        r"load key [^\n]*: (error in libcrypto|invalid format)(?=[\s\S]*permission denied \()",
        SourceError,
        "ssh does not use the private key: the file holds none that it can read",
        "put a private key, whole and with its last line break, into the file credentials.sshKeyFile",
    ),
    _rule(
        r"permission denied \(|too many authentication failures",
        SourceError,
        "the Git server refuses our credentials",
        "the server must know the key in credentials.sshKeyFile, and it must have no passphrase",
    ),
    _rule(
        r"authentication failed|could not read (username|password)|returned error: 40[13]"
        r"|terminal prompts disabled|access denied",
        SourceError,
        "the Git server refuses our credentials",
        "check the source's credentials; they are read anew at each poll",
    ),
    _rule(
        r"dubious ownership",
        SourceError,
        "the repository's folder belongs to another user",
        "change its owner, or serve it over https or ssh",
    ),
    _rule(
        r"certificate subject name",
        SourceError,
        "the Git server's certificate is for another name",
        "put the host's name as the certificate has it into the source's url",
    ),
    _rule(
        r"ssl certificate problem|certificate verif|ssl_error|server certificate|unable to get local issuer"
        r"|adding trust anchors|ssl ca cert",
        SourceError,
        "the Git server's certificate is not trusted",
        "put its authority into the file credentials.caFile",
    ),
    _rule(
        r"returned error: 30\d|unable to update url base from redirection",
        SourceRefused,
        "the Git server redirects to another URL",
        "redirects are not followed: state the final URL",
    ),
    _rule(r"transport '.*' not allowed", SourceRefused, "Git refuses the transport"),
    _rule(
        r"fsck|badly formatted|contains \.git|disallowed symlink|hasdotgit|error in (packed )?object",
        SourceRefused,
        "the repository holds an object that is unsafe or damaged",
        "`git fsck` in a clone shows it",
    ),
    _rule(
        r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref",
        SourceMissing,
        "the Git server does not have what was asked for",
    ),
    _rule(
        r"repository .* not found|does not appear to be a git repository|returned error: 404|project .* not found"
        r"|no such file or directory|repository not exported",
        SourceMissing,
        "there is no repository at the URL",
    ),
    _rule(
        r"is this a git repository|invalid server response",
        SourceUnreachable,
        "the server's answer is not Git's protocol",
        "is the URL that of a repository, and no login page in between?",
    ),
    _rule(
        r"could not resolve|connection (refused|reset|timed out|closed)|failed to connect|couldn't connect"
        r"|network is unreachable|no route to host|operation timed out|hung up|early eof|empty reply"
        r"|returned error: (429|5\d\d)|rpc failed|expected flush|unexpected disconnect|unable to access"
        r"|could not read from remote|invalid index-pack output|protocol error|expected .* packet",
        SourceUnreachable,
        "the Git server gave no usable answer",
    ),
)


def explain(error: GitFailed) -> SourceError:
    """The error that a command which spoke to the server failed with."""
    for rule in _RULES:
        if match := rule.pattern.search(error.stderr):
            return rule.kind(rule.what, why=_sentence(error.stderr, match.start()), hint=rule.hint)
    return error


def _sentence(stderr: str, position: int) -> str:
    """The line of `stderr` that holds `position`, fit to be shown: servers choose part of this text."""
    start = stderr.rfind("\n", 0, position) + 1
    line = stderr[start:].partition("\n")[0].strip()
    for prefix in ("fatal: ", "error: ", "remote: "):
        line = line.removeprefix(prefix)
    return printable(line)
