"""What a hostile URL, server, repository or environment cannot do."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from git_server import Fault, GitServer

from reconciler.errors import SourceError, SourceRefused
from reconciler.model.config import GitCredentials
from reconciler.source.address import parse_url
from reconciler.source.environment import Settings, environment
from reconciler.source.process import GitFailed, GitJob
from reconciler.source.repository import GitSource

Make = Callable[..., GitSource]
PASSWORD = "correct-horse"


@pytest.mark.parametrize(
    "config",
    [
        {"url": "ext::sh -c 'touch /tmp/owned'"},
        {"url": "--upload-pack=touch /tmp/owned"},
        {"url": "https://ada:hunter2@git.example.com/shop"},
        {"ref": "--upload-pack=touch /tmp/owned"},
        {"ref": "semver:banana"},
        {"paths": ("../other",)},
        {"paths": ("base", "/etc")},
    ],
)
def test_what_is_unsafe_is_refused_before_git_runs(source: Make, commands, config: dict[str, object]) -> None:
    with pytest.raises(SourceRefused) as refused:
        source(**config)
    assert refused.value.where == "source shop"
    assert not commands


@pytest.mark.parametrize("url", ["ext::sh -c 'echo owned >&2; false'", "git://127.0.0.1/x", "/nowhere"])
def test_git_itself_would_refuse_another_transport_than_the_sources(tmp_path: Path, url: str) -> None:
    """The second lock, should the first one fail: only the transport of the source's own URL is on."""
    address = parse_url("https://git.example.com/shop")
    job = GitJob(tmp_path, Settings(environment(address, GitCredentials())))
    with pytest.raises(GitFailed) as failed:
        job.run("ls-remote", "--", url)
    assert "owned" not in failed.value.stderr
    assert "not allowed" in failed.value.stderr


def test_an_argument_is_never_a_shells(tmp_path: Path) -> None:
    job = GitJob(tmp_path, Settings(environment(None, GitCredentials())))
    with pytest.raises(GitFailed):
        job.run("rev-parse", "--verify", "--end-of-options", "$(touch owned)")
    assert not (tmp_path / "owned").exists()


async def test_hooks_and_filters_of_a_repository_never_run(repository, source: Make, mirrors, tmp_path: Path) -> None:
    repository.commit({"a.yaml": "1", ".gitattributes": "*.yaml filter=evil\n"})
    shop = source()
    await shop.poll()
    (mirror,) = mirrors()
    for folder in (mirror, repository.path / ".git"):
        hooks = folder / "hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-update", "pre-auto-gc", "post-checkout"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
            (hooks / name).chmod(0o755)
    repository.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", "More")
    assert (await shop.poll()).changed
    assert not (tmp_path / "owned").exists()


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    place = tmp_path / "pass word" / "token"
    place.parent.mkdir()
    place.write_text(PASSWORD + "\n")
    return place


def put(place: Path, content: str) -> None:
    place.write_text(content)


async def test_a_password_is_read_from_its_file(repository, source: Make, server, password_file: Path) -> None:
    repository.commit({"a.yaml": "1"})
    server.password = PASSWORD
    for content in (PASSWORD, PASSWORD + "\n", PASSWORD + "\nsecond line\n"):
        put(password_file, content)
        shop = source(url=server.url("shop/.git"), credentials=GitCredentials(password_file=str(password_file)))
        assert (await shop.poll()).error is None
    assert any(header.startswith("Basic ") for _, _, header in server.requests)


@pytest.mark.parametrize("content", ["wrong", ""])
async def test_a_wrong_password_is_said_and_never_shown(
    repository, source: Make, server, password_file: Path, content: str
) -> None:
    repository.commit({"a.yaml": "1"})
    server.password = PASSWORD
    put(password_file, content)
    shop = source(url=server.url("shop/.git"), credentials=GitCredentials(password_file=str(password_file)))
    poll = await shop.poll()
    assert isinstance(poll.error, SourceError)
    assert poll.error.what == "the Git server refuses our credentials"
    assert not content or content not in "\n".join(poll.error.diagnostics())


async def test_a_password_file_that_is_missing_is_named(repository, source: Make, tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing")
    poll = await source(credentials=GitCredentials(password_file=missing)).poll()
    assert poll.error is not None
    assert poll.error.where == missing


def test_a_password_is_never_on_a_command_line_or_in_a_variable(password_file: Path) -> None:
    credentials = GitCredentials(password_file=str(password_file))
    variables = environment(parse_url("https://git.example.com/shop"), credentials)
    assert PASSWORD not in "\n".join(variables.values())


async def test_a_password_never_goes_to_another_server(repository, source: Make, server, password_file: Path) -> None:
    repository.commit({"a.yaml": "1"})
    with GitServer(repository.path.parent, PASSWORD) as thief:
        server.fault = Fault.REDIRECT
        server.redirect_to = thief.url("").rstrip("/")
        shop = source(url=server.url("shop/.git"), credentials=GitCredentials(password_file=str(password_file)))
        poll = await shop.poll()
        assert isinstance(poll.error, SourceRefused)
        assert "final URL" in poll.error.hint
        assert thief.requests == []


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    """Stands in for ssh: notes its arguments and runs the server's command here.

    A real sshd is asked in test_transports.py.
    """
    program = tmp_path / "fake ssh"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"open({str(tmp_path / 'ssh.log')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
        "os.execvp('sh', ['sh', '-c', sys.argv[-1]])\n"
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("form", ["ssh://git@git.example.com{path}", "git@git.example.com:{path}"])
async def test_ssh_checks_the_server_and_never_asks(
    repository, source: Make, ssh: Path, tmp_path: Path, form: str
) -> None:
    commit = repository.commit({"a.yaml": "1"})
    key, known = tmp_path / "id", tmp_path / "known hosts"
    put(key, "")
    put(known, "")
    credentials = GitCredentials(ssh_key_file=str(key), known_hosts_file=str(known))
    shop = source(url=form.format(path=repository.path), ssh=str(ssh), credentials=credentials)

    poll = await shop.poll()

    assert poll.error is None
    assert poll.snapshot.revision.commit == commit
    arguments = (tmp_path / "ssh.log").read_text().split("\n")
    assert arguments[:4] == ["-F", os.devnull, "-i", str(key)]
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        f'UserKnownHostsFile="{known}"',
    ):
        assert option in arguments
    assert arguments[-2:] == ["git@git.example.com", f"git-upload-pack '{repository.path}'"]


async def test_a_missing_ssh_is_said(source: Make) -> None:
    poll = await source(url="git@git.example.com:shop", ssh="/nowhere/ssh").poll()
    assert poll.error is not None
    assert "not installed" in poll.error.what


async def test_an_unknown_ssh_host_is_refused_with_advice(source: Make, tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n")
    program.chmod(0o755)
    poll = await source(url="git@git.example.com:shop", ssh=str(program)).poll()
    assert poll.error is not None
    assert "host key" in poll.error.what
    assert "knownHostsFile" in poll.error.hint


async def test_what_a_server_says_cannot_steer_a_terminal(source: Make, tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nprintf 'Permission denied (\\033[31mpublickey\\a).\\n' >&2\nexit 255\n")
    program.chmod(0o755)
    poll = await source(url="git@git.example.com:shop", ssh=str(program)).poll()
    assert poll.error is not None
    assert all(line.isprintable() for line in poll.error.diagnostics())


async def test_what_a_commit_says_cannot_steer_a_terminal(repository, source: Make) -> None:
    repository.git("config", "user.name", "x")
    repository.commit({"a.yaml": "1"}, "Red \x1b[31m\x07alert")
    revision = (await source().poll()).snapshot.revision
    assert revision.subject == "Red [31malert"


async def test_a_commit_of_any_time_is_readable(repository, source: Make) -> None:
    stream = (
        b"commit refs/heads/main\ncommitter A <a@e.com> 99999999999999 +0000\ndata 1\nxM 100644 inline a\ndata 1\ny"
    )
    repository.git("fast-import", "--quiet", data=stream)
    assert (await source().poll()).snapshot.revision.time.year == 9999
