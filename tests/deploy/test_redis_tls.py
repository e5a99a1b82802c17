"""Redis over TLS: through to a run's end, and only with a certificate of our CA for the host that was asked for."""

import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.channels import REDIS_AWAY
from shared.reach import ping
from tests.deploy.redis_servers import REDIS_SERVER, WITHOUT_TLS, RedisServer, running
from tests.house import Servers, free_port, house_of
from tests.talk import say, shown_text

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(REDIS_SERVER is None, reason=WITHOUT_TLS)]

DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Authority:
    """A CA of the test's own."""

    directory: Path
    key: Key
    name: x509.Name

    @classmethod
    def made(cls, directory: Path) -> "Authority":
        """A new one; `ca.pem` is its certificate."""
        key, name = ec.generate_private_key(ec.SECP256R1()), _named("a CA of the tests")
        authority = cls(directory, key, name)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        authority.write("ca", authority.signed(name, key, basic), key)
        return authority

    def signed(self, subject: x509.Name, key: Key, *extensions: x509.ExtensionType) -> x509.Certificate:
        """A certificate of today."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - DAY).not_valid_after(now + DAY)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self.key, SHA256())

    def issue(self, name: str, host: x509.GeneralName) -> None:
        """A server's certificate and key for this host."""
        key = ec.generate_private_key(ec.SECP256R1())
        self.write(name, self.signed(_named(name), key, x509.SubjectAlternativeName([host])), key)

    def write(self, name: str, certificate: x509.Certificate, key: Key) -> None:
        (self.directory / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.directory / f"{name}.key").write_bytes(private)

    def serving(self, name: str) -> RedisServer:
        """A server that speaks TLS alone, with this certificate."""
        assert REDIS_SERVER is not None
        port = free_port()
        pem = self.directory / name
        options = ["--port", "0", "--tls-port", str(port), "--tls-cert-file", f"{pem}.pem", "--tls-key-file"]
        options += [f"{pem}.key", "--tls-ca-cert-file", str(self.directory / "ca.pem"), "--tls-auth-clients", "no"]
        return RedisServer(self.directory / f"{name} redis", [*options, "--save", ""], REDIS_SERVER, port)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA, and a certificate for the loopback's address."""
    made = Authority.made(tmp_path_factory.mktemp("ca"))
    made.issue("right", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made.issue("other", x509.DNSName("redis.example.com"))
    return made


@pytest.fixture(scope="module")
def encrypted(authority: Authority) -> Iterator[RedisServer]:
    """A server with the right certificate."""
    server = authority.serving("right")
    with running(server):
        yield server


def url(authority: Authority, server: RedisServer, options: str = "") -> str:
    return f"rediss://127.0.0.1:{server.port}/0?ssl_ca_certs={authority.directory}/ca.pem{options}"


def test_a_run_goes_through(servers: Servers, authority: Authority, encrypted: RedisServer) -> None:
    with house_of(servers, REDIS_URL=url(authority, encrypted)) as house, house.client() as client:
        assert "milk" in shown_text(say(client, "add buy milk"))
        assert client.get("/readyz").status_code == 200


async def test_a_certificate_of_an_unknown_ca_is_refused(authority: Authority, encrypted: RedisServer) -> None:
    await ping(url(authority, encrypted))
    with pytest.raises(REDIS_AWAY):
        await ping(f"rediss://127.0.0.1:{encrypted.port}/0")


async def test_a_certificate_for_another_host_is_refused_unless_told_otherwise(authority: Authority) -> None:
    server = authority.serving("other")
    with running(server):
        with pytest.raises(REDIS_AWAY):
            await ping(url(authority, server))
        await ping(url(authority, server, "&ssl_check_hostname=false"))
        await ping(url(authority, server, "&ssl_cert_reqs=none"))
