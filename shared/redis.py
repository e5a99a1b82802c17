"""Connections to Redis (or Valkey): short time-outs, because everything here has an answer to its being away.

A URL names a server, or the sentinels that know which server is the primary now:
`redis+sentinel://user:password@host:26379,host,host/service/0`. `rediss://` and `rediss+sentinel://` go over TLS,
and the certificate must be of the host that was asked for. Options follow as redis-py has them
(`?ssl_ca_certs=/ca.pem`); `sentinel_username` and `sentinel_password` are for the sentinels themselves.
"""

from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

SCHEMES = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
SENTINEL_PORT = 26379
PATIENCE = {"socket_timeout": 5.0, "socket_connect_timeout": 2.0}
SENTINEL_PATIENCE = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}


def connect(url: str, *, max_connections: int = 50) -> Redis:
    """A client that answers in bytes and gives up on a dead server within seconds. Raises ValueError for a bad URL."""
    return Redis.from_pool(connections(url, max_connections=max_connections))


def connect_few(url: str, *, most: int, patience: float) -> Redis:
    """The same over few connections: a command waits for a free one, so many seconds at most. Raises ValueError."""
    if urlsplit(url).scheme.endswith("+sentinel"):
        # Its pool cannot wait: past the number a command fails at once, as with Redis away.
        return connect(url, max_connections=most)
    return Redis.from_pool(BlockingConnectionPool(timeout=cast(int, patience), **_options(url, most)))


def connections(url: str, *, max_connections: int | None = None) -> ConnectionPool:
    """Connections to the server that the URL means, whichever that is at the time. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme.endswith("+sentinel"):
        return _of_sentinels(parts, max_connections)
    return ConnectionPool(**_options(url, max_connections))


def _options(url: str, max_connections: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"max_connections": max_connections, **PATIENCE, **parse_url(url)}
    if not url.startswith("unix://"):
        options.setdefault("socket_keepalive", True)
    if url.startswith("rediss://"):
        options.setdefault("ssl_check_hostname", options.get("ssl_cert_reqs") != "none")
    return options


def _of_sentinels(parts: SplitResult, max_connections: int | None) -> ConnectionPool:
    scheme = parts.scheme.removesuffix("+sentinel")
    user, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.lstrip("/").partition("/")
    if not service:
        raise ValueError("a sentinel URL ends in the name of its service")
    options = _options(f"{scheme}://{user}@any/{database}?{parts.query}", max_connections)
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    is_tls = scheme == "rediss"
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_address(host) for host in hosts.split(",")],
        sentinel_kwargs={**SENTINEL_PATIENCE, **own, **tls, "ssl": is_tls},
    )
    kind = SentinelManagedSSLConnection if is_tls else SentinelManagedConnection
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]
        service, sentinel, connection_class=kind, **options
    )


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("a sentinel URL names at least one host")
    return parts.hostname, parts.port or SENTINEL_PORT
