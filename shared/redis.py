"""Connections to Redis (or Valkey): short time-outs, because everything here has an answer to its being away."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis


def connect(url: str, *, max_connections: int = 50) -> Redis:
    """A client that answers in bytes and gives up on a dead server within seconds."""
    client: Redis = Redis.from_url(url, max_connections=max_connections, **_timeouts(url))
    return client


def connect_few(url: str, *, connections: int, patience: float) -> Redis:
    """The same over few connections: a command waits for a free one, so many seconds at most."""
    pool = BlockingConnectionPool.from_url(url, max_connections=connections, timeout=patience, **_timeouts(url))
    return Redis.from_pool(pool)


def _timeouts(url: str) -> dict[str, Any]:
    over_tcp = {} if url.startswith("unix://") else {"socket_keepalive": True}
    return {"socket_timeout": 5.0, "socket_connect_timeout": 2.0, **over_tcp}
