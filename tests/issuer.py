"""An issuer of tokens that publishes its keys over HTTP: it rotates, fails, hangs, and counts who came."""

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MAKERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "RS256": (partial(rsa.generate_private_key, 65537, 2048), RSAAlgorithm),
    "RSA-1024": (partial(rsa.generate_private_key, 65537, 1024), RSAAlgorithm),
    "ES256": (partial(ec.generate_private_key, ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}


class Key:
    """A key pair, and how it is published."""

    def __init__(self, key_id: str | None, algorithm: str = "EdDSA") -> None:
        make, form = MAKERS[algorithm]
        self.private, self.key_id = make(), key_id
        self.algorithm = "RS256" if algorithm == "RSA-1024" else algorithm
        self.jwk: dict[str, Any] = json.loads(form.to_jwk(self.private.public_key()))
        self.jwk |= {"kid": key_id} if key_id else {}

    def token(self, user: Any = "ann", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that it has signed, good for an hour."""
        named = {"kid": self.key_id} if self.key_id else {}
        said = {"sub": user, "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(said, self.private, self.algorithm, {**named, **(header or {})})


class Issuer:
    """What a test holds: its keys, and the requests so far. While `open` is not set, requests hang."""

    def __init__(self) -> None:
        self.keys = [Key("first")]
        self.also: list[Any] = []
        """What else stands in the set, as it is."""
        self.body: bytes | None = None
        """What is said in place of the set."""
        self.seconds_per_byte = 0.0
        self.status, self.requests = 200, 0
        self.paths: set[str] = set()
        self.open = threading.Event()
        self.open.set()
        self.url = ""

    @property
    def published(self) -> bytes:
        return json.dumps({"keys": [*self.also, *(key.jwk for key in self.keys)]}).encode()


class _Door(BaseHTTPRequestHandler):
    def __init__(self, issuer: Issuer, *arguments: Any) -> None:
        self._issuer = issuer
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._issuer.requests += 1
        self._issuer.paths.add(self.path)
        self._issuer.open.wait()
        self.send_response(self._issuer.status)
        if self._issuer.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        body = self._issuer.published if self._issuer.body is None else self._issuer.body
        with suppress(OSError):
            while self._issuer.seconds_per_byte and body:
                self.wfile.write(body[:1])
                body = body[1:]
                time.sleep(self._issuer.seconds_per_byte)
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """An issuer, at `issuer.url`."""
    issuer = Issuer()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Door, issuer)) as server:
        server.daemon_threads = True
        issuer.url = f"http://127.0.0.1:{server.server_port}/jwks"
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
        thread.start()
        yield issuer
        issuer.open.set()
        server.shutdown()
        thread.join()


def part(content: Any) -> str:
    """One part of a token: base64url of the JSON, or of the bytes."""
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(encoded).rstrip(b"=").decode()


def forged(header: dict[str, Any], claims: Any, secret: bytes) -> str:
    """A token whose header says whatever it likes, signed by HMAC with whatever is at hand."""
    said = f"{part(header)}.{part(claims)}"
    return f"{said}.{part(hmac.digest(secret, said.encode(), 'sha256'))}"
