"""https and ssh against real servers: who is trusted, who is let in, and what is said where not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from debian import program, required, shared
from git_repository import Repository
from git_server import GitServer, SshServer, make_ssh_key

from reconciler.errors import SourceError, SourceUnreachable
from reconciler.model.config import GitCredentials
from reconciler.source.repository import GitSource

Make = Callable[..., GitSource]
PASSWORD = "correct-horse"


def file(place: Path, content: str, *, mode: int = 0o600) -> str:
    place.write_text(content)
    place.chmod(mode)
    return str(place)


def text(place: Path) -> str:
    return place.read_text()


async def refusal(shop: GitSource) -> SourceError:
    """The error of a first poll, which must say what, why and what to do."""
    poll = await shop.poll()
    assert poll.snapshot is None
    assert poll.error is not None
    assert poll.error.why
    assert poll.error.hint
    assert not isinstance(poll.error, SourceUnreachable)
    return poll.error


async def check_follows(shop: GitSource, repository: Repository) -> None:
    """The source clones, sees the next commit, and reads what it brought."""
    first = await shop.poll()
    assert first.error is None
    commit = repository.commit({"a.yaml": "2"})
    second = await shop.poll()
    assert second.error is None
    assert second.changed
    assert second.snapshot.revision.commit == commit
    (entry,) = second.snapshot.entries
    assert dict(await shop.read([entry.blob])) == {entry.blob: b"2"}


# --- https -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def new_authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Authority]:
    def make() -> Authority:
        authority = Authority(tmp_path_factory.mktemp("pki"))
        authority.create()
        return authority

    return make


@pytest.fixture(scope="module")
def authority(new_authority: Callable[[], Authority]) -> Authority:
    return new_authority()


@pytest.fixture(scope="module")
def stranger(new_authority: Callable[[], Authority]) -> Authority:
    """An authority that signed nothing here."""
    return new_authority()


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> tuple[Path, Path]:
    """The server's, and its key."""
    pair = authority.server(["IP:127.0.0.1"])
    return pair.certificate, pair.key


@pytest.fixture
def https(repository: Repository, certificate: tuple[Path, Path]) -> Iterator[GitServer]:
    repository.commit({"a.yaml": "1"})
    with GitServer(repository.path.parent, PASSWORD, certificate=certificate) as running:
        yield running


@pytest.fixture
def over_https(source: Make, https: GitServer, authority: Authority, tmp_path: Path) -> Make:
    """Makes a source of the server over https; keyword arguments are its credentials."""

    def make(**credentials: str) -> GitSource:
        right = {"ca_file": str(authority.pair.certificate), "password_file": file(tmp_path / "password", PASSWORD)}
        return source(url=https.url("shop/.git"), credentials=GitCredentials(**{**right, **credentials}))

    return make


async def test_https_with_an_authority_of_its_own_and_a_password(over_https: Make, repository: Repository) -> None:
    await check_follows(over_https(), repository)


async def test_the_sources_authority_goes_before_the_machines(
    over_https: Make, repository: Repository, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(stranger.pair.certificate))
    await check_follows(over_https(), repository)


@pytest.mark.parametrize("trusted", ["the machine's", "a stranger's"])
async def test_a_certificate_of_an_unknown_authority_is_refused(
    over_https: Make, https: GitServer, stranger: Authority, trusted: str
) -> None:
    error = await refusal(over_https(ca_file=str(stranger.pair.certificate) if trusted == "a stranger's" else ""))
    assert error.what == "the Git server's certificate is not trusted"
    assert "credentials.caFile" in error.hint
    assert https.requests == []  # so nobody saw the password


async def test_a_switch_in_the_environment_does_not_make_us_trust(
    over_https: Make, https: GitServer, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    await refusal(over_https(ca_file=str(stranger.pair.certificate)))
    assert https.requests == []


async def test_a_certificate_for_another_name_is_refused(
    repository: Repository, source: Make, new_authority: Callable[[], Authority]
) -> None:
    authority = new_authority()
    pair = authority.server(["DNS:git.example.com"])
    with GitServer(repository.path.parent, certificate=(pair.certificate, pair.key)) as server:
        credentials = GitCredentials(ca_file=str(authority.pair.certificate))
        error = await refusal(source(url=server.url("shop/.git"), credentials=credentials))
    assert error.what == "the Git server's certificate is for another name"
    assert "url" in error.hint


async def test_an_authority_file_without_a_certificate_is_said(
    over_https: Make, https: GitServer, tmp_path: Path
) -> None:
    error = await refusal(over_https(ca_file=file(tmp_path / "ca.pem", "not a certificate\n")))
    assert error.what == "the Git server's certificate is not trusted"
    assert "credentials.caFile" in error.hint
    assert https.requests == []


async def test_a_wrong_password_over_https_is_said_and_never_shown(
    over_https: Make, https: GitServer, tmp_path: Path
) -> None:
    wrong = "incorrect-horse"
    error = await refusal(over_https(password_file=file(tmp_path / "wrong", wrong)))
    assert error.what == "the Git server refuses our credentials"
    said = "\n".join([*error.diagnostics(), repr(error), str(error)])
    assert wrong not in said
    assert https.requests  # it was the server that refused


# --- ssh -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The program. Skips where there is none; that is a failure where a machine of CI could have installed it."""
    return required(program("sshd", "openssh-server", shared(tmp_path_factory, worker_id), service=True))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_ssh_key(tmp_path / "id")


@pytest.fixture
def ssh_server(sshd: Path, key: Path, repository: Repository, tmp_path: Path) -> Iterator[SshServer]:
    repository.commit({"a.yaml": "1"})
    with SshServer(sshd, tmp_path / "sshd", authorized=key.with_suffix(".pub")) as running:
        yield running


@pytest.fixture
def over_ssh(source: Make, ssh_server: SshServer, key: Path, repository: Repository, tmp_path: Path) -> Make:
    """Makes a source of the server over ssh; keyword arguments are its credentials."""

    def make(*, path: Path = repository.path, **credentials: str) -> GitSource:
        known = file(tmp_path / "known hosts", ssh_server.known_hosts)
        right = {"ssh_key_file": str(key), "known_hosts_file": known}
        return source(url=ssh_server.url(str(path)), credentials=GitCredentials(**{**right, **credentials}))

    return make


async def test_ssh_with_a_key_and_a_known_host(over_ssh: Make, repository: Repository) -> None:
    await check_follows(over_ssh(), repository)


async def test_an_unknown_host_key_is_refused(over_ssh: Make, tmp_path: Path) -> None:
    known = tmp_path / "nobody"
    error = await refusal(over_ssh(known_hosts_file=file(known, "")))
    assert error.what == "the Git server's host key is not known"
    assert "credentials.knownHostsFile" in error.hint
    assert known.read_text() == ""  # it was not learnt


async def test_another_host_key_than_the_known_one_is_refused(
    over_ssh: Make, ssh_server: SshServer, tmp_path: Path
) -> None:
    other = make_ssh_key(tmp_path / "other").with_suffix(".pub").read_text()
    known = file(tmp_path / "known", f"[127.0.0.1]:{ssh_server.port} {other}")
    error = await refusal(over_ssh(known_hosts_file=known))
    assert error.what == "the Git server's host key is not the one in credentials.knownHostsFile"
    assert "in between" in error.hint


async def test_a_key_that_the_server_does_not_know_is_refused(over_ssh: Make, tmp_path: Path) -> None:
    error = await refusal(over_ssh(ssh_key_file=str(make_ssh_key(tmp_path / "other"))))
    assert error.what == "the Git server refuses our credentials"


async def test_a_key_that_others_may_read_is_named(over_ssh: Make, key: Path) -> None:
    """ssh passes such a key over, and then says no more than that the server refused."""
    error = await refusal(over_ssh(ssh_key_file=file(key, text(key), mode=0o644)))
    assert error.what == "ssh does not use the private key: others than its owner may read the file"
    assert "0400" in error.hint


async def test_a_file_that_is_no_key_is_named(over_ssh: Make, tmp_path: Path) -> None:
    error = await refusal(over_ssh(ssh_key_file=file(tmp_path / "empty", "no key\n")))
    assert error.what == "ssh does not use the private key: the file holds none that it can read"


async def test_a_key_with_a_passphrase_is_refused_without_asking(
    over_ssh: Make, ssh_server: SshServer, key: Path
) -> None:
    locked = make_ssh_key(key.with_name("locked"), passphrase="correct-horse")
    file(key.with_suffix(".pub"), text(locked.with_suffix(".pub")))  # the server knows it
    error = await refusal(over_ssh(ssh_key_file=str(locked)))
    assert error.what == "the Git server refuses our credentials"
    assert "passphrase" in error.hint


async def test_no_repository_over_ssh(over_ssh: Make, tmp_path: Path) -> None:
    error = (await over_ssh(path=tmp_path / "nothing").poll()).error
    assert error is not None
    assert error.what == "there is no repository at the URL"
