"""A seller of tokens for Debian's docker-registry, as the distribution project describes one.

    with TokenServer(certificate) as tokens, RegistryServer(folder, tokens=tokens) as server:
        tokens.sold                           # the scopes of each token so far

Anybody may pull what is below "public/"; the user "ada" with the password "s3cret" may do everything.
"""

import base64
import json
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509 import load_pem_x509_certificate
from loopback import Handler, LoopbackServer

SERVICE: Final = "test registry"
ISSUER: Final = "test issuer"
_ADA: Final = "Basic " + base64.b64encode(b"ada:s3cret").decode()


class TokenServer(LoopbackServer):
    """Signs with the key of `certificate` (its file and its key's), ECDSA over P-256."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        super().__init__(self._handler())
        self.certificate = certificate[0]
        self.sold: list[list[str]] = []
        self._key = serialization.load_pem_private_key(certificate[1].read_bytes(), None)
        made = load_pem_x509_certificate(certificate[0].read_bytes())
        self._chain = [base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()]

    @property
    def realm(self) -> str:
        return self.url("token")

    def _sell(self, scopes: list[str], user: bool) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if user or (a == "pull" and name.startswith("public/"))]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": "", "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "1"}
        head = {"typ": "JWT", "alg": "ES256", "x5c": self._chain}
        signed = f"{_json(head)}.{_json({**claims, 'access': access})}"
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _handler(self) -> type[Handler]:
        outer = self

        class Answering(Handler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                given = self.headers.get("Authorization") or ""
                known = query.get("service") == [SERVICE] and given in ("", _ADA)
                scopes = query.get("scope", [])
                outer.sold.append(scopes)
                body = json.dumps({"token": outer._sell(scopes, bool(given))} if known else {}).encode()
                self.reply(200 if known else 401, {}, body)

        return Answering


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json(value: Any) -> str:
    return _text(json.dumps(value).encode())
