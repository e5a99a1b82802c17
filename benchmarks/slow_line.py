"""`python -m benchmarks.slow_line SOCKET PORT SECONDS`: a line to Redis that takes its time.

Every byte arrives half a round trip later, and none waits for another: a distance, not a narrow pipe.
"""

import asyncio
import sys


class _Half(asyncio.Protocol):
    """One side of a connection; what it receives is written to the other side after `delay` seconds."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._far: _Half | None = None
        self.transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._pass_on, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._far is not None and self._far.transport is not None:
            self._far.transport.close()

    def join(self, far: "_Half") -> None:
        self._far, far._far = far, self
        for data in self._waiting:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        if self._far is None or self._far.transport is None:
            self._waiting.append(data)
        else:
            self._far.transport.write(data)


async def serve(path: str, port: int, *, round_trip: float) -> None:
    """Listen for ever, in front of the server behind this Unix socket."""
    loop, joining = asyncio.get_running_loop(), set()

    async def join(near: _Half) -> None:
        _, far = await loop.create_unix_connection(lambda: _Half(round_trip / 2), path)
        near.join(far)

    def accept() -> _Half:
        near = _Half(round_trip / 2)
        task = asyncio.ensure_future(join(near))
        joining.add(task)
        task.add_done_callback(joining.discard)
        return near

    server = await loop.create_server(accept, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), round_trip=float(sys.argv[3])))
