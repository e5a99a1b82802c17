"""Connections to Redis (or Valkey): short time-outs, because everything here has an answer to its being away."""

from redis.asyncio import Redis


def connect(url: str, *, max_connections: int = 50) -> Redis:
    """A client that answers in bytes and gives up on a dead server within seconds."""
    over_tcp = {} if url.startswith("unix://") else {"socket_keepalive": True}
    client: Redis = Redis.from_url(
        url,
        max_connections=max_connections,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        **over_tcp,
    )
    return client
