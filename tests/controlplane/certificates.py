"""Certificates of a control plane that lives as long as a test run, made by the openssl command.

    python tests/controlplane/certificates.py FOLDER URL USER [--group GROUP] [--namespace NAMESPACE] [--days DAYS]

writes FOLDER/USER.kubeconfig for one more user of a running control plane; RBAC says what they may do.
"""

import argparse
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files of PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates, which lie in `folder` beside its own."""

    folder: Path

    @property
    def pair(self) -> Pair:
        return self._pair("ca")

    def create(self) -> None:
        """Make the authority itself, and the key that signs the tokens of service accounts."""
        pair = self.pair
        _openssl("req", "-x509", *KEY, "-days", "2", "-subj", "/CN=test-authority", *_out(pair))
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(self.tokens))

    @property
    def tokens(self) -> Path:
        return self.folder / "service-accounts.key"

    def server(self, addresses: Sequence[str]) -> Pair:
        """The API server's own, good for `addresses`, written as openssl does: IP:127.0.0.1, DNS:localhost."""
        return self._sign("server", "/CN=kube-apiserver", f"subjectAltName={','.join(addresses)}", "serverAuth", 2)

    def client(self, user: str, groups: Sequence[str] = (), *, name: str = "", days: int = 2) -> Pair:
        """What makes its bearer `user` of `groups`; `days` may be negative, then it has expired already."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._sign(name or user.replace(":", "-"), subject, "basicConstraints=CA:FALSE", "clientAuth", days)

    def _sign(self, name: str, subject: str, extension: str, usage: str, days: int) -> Pair:
        pair, ca = self._pair(name), self.pair
        request = self.folder / f"{name}.csr"
        _openssl("req", "-new", *KEY, "-subj", subject, "-keyout", str(pair.key), "-out", str(request))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"{extension}\nextendedKeyUsage={usage}\n")
        authority = ["-CA", str(ca.certificate), "-CAkey", str(ca.key), "-CAcreateserial"]
        signing = ["-in", str(request), "-days", str(days), "-extfile", str(extensions)]
        _openssl("x509", "-req", *authority, *signing, "-out", str(pair.certificate))
        pair.key.chmod(0o600)
        return pair

    def _pair(self, name: str) -> Pair:
        return Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")


def self_signed(folder: Path, name: str) -> Pair:
    """A server's on 127.0.0.1, which is its own authority."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    address = ("-addext", "subjectAltName=IP:127.0.0.1")
    _openssl("req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}", *address, *_out(pair))
    return pair


def write_kubeconfig(
    folder: Path, url: str, user: str, groups: Sequence[str] = (), *, name: str = "", namespace: str = "", days: int = 2
) -> Path:
    """Write FOLDER/NAME.kubeconfig with a new certificate for `user`."""
    authority = Authority(folder / "pki")
    pair = authority.client(user, groups, name=name, days=days)
    path = folder / f"{name or user}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(kubeconfig(url, authority.pair.certificate, pair, namespace=namespace or "default"))
    return path


def kubeconfig(url: str, authority: Path, user: Pair, *, namespace: str = "default") -> str:
    """The text of a kubeconfig for one user."""
    return (
        "apiVersion: v1\nkind: Config\n"
        f"clusters:\n- name: test\n  cluster: {{server: {url}, certificate-authority: {authority}}}\n"
        f"users:\n- name: test\n  user: {{client-certificate: {user.certificate}, client-key: {user.key}}}\n"
        f"contexts:\n- name: test\n  context: {{cluster: test, user: test, namespace: {namespace}}}\n"
        "current-context: test\n"
    )


def _out(pair: Pair) -> tuple[str, ...]:
    return ("-keyout", str(pair.key), "-out", str(pair.certificate))


def _openssl(*arguments: str) -> None:
    """Run openssl; raises RuntimeError with its words."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description="a kubeconfig for one more user")
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    parser.add_argument("user")
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--days", type=int, default=2, help="how long it is good for; negative: it has expired")
    options = parser.parse_args()
    write_kubeconfig(
        options.folder, options.url, options.user, options.group, namespace=options.namespace, days=options.days
    )


if __name__ == "__main__":
    main()
