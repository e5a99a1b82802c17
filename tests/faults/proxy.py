"""A TCP proxy per link, between a process and its Postgres or Redis: delays, drops, resets, goes silent, and counts."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

Address = str | tuple[str, int]
"""A Unix socket's path, or a host and a port."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends RST."""


class Cut(ConnectionError):
    """Raised by a filter: these bytes still pass, then the connection ends."""

    def __init__(self, passed: bytes) -> None:
        super().__init__()
        self.passed = passed


class Line:
    """One connection through the proxy. `silent` makes it half-open: it stays, and nothing passes any more."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.silent = False
        self.filter: Callable[[bytes], bytes] | None = None

    def close(self, *, reset: bool = False) -> None:
        for writer in (self.near, self.far):
            raw = writer.get_extra_info("socket")
            if reset and raw is not None and raw.family != socket.AF_UNIX:
                with suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort() if reset else writer.close()


class Proxy:
    """Listens on `port` of the loopback and passes everything on to `target`. Its verbs are safe from any thread."""

    def __init__(self, network: "Network", target: Address) -> None:
        self._network, self._target = network, target
        self._lines: set[Line] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self.delay = 0.0
        """Seconds that every chunk is held, either way."""
        self.filters: Callable[[], Callable[[bytes], bytes]] | None = None
        """Makes, for each new connection, what is done to the bytes that come from the server."""
        self.connections = self.bytes_passed = self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """Nothing passes from here on; what is sent meanwhile waits, as in a partition that heals."""
        self._network.call(self._open.clear)

    def thaw(self) -> None:
        self._network.call(self._open.set)

    def silence(self) -> None:
        """The connections there are become half-open for ever; new ones work."""
        self._network.call(self._silence)

    def reset(self) -> None:
        """Every connection there is ends by RST."""
        self._network.call(self._reset)

    def refuse(self) -> None:
        """Every connection ends by RST, and so does every new one."""
        self._network.call(self._refuse)

    def accept(self) -> None:
        self._network.call(setattr, self, "_refusing", False)

    def point(self, target: Address) -> None:
        """Lead to another server, from the next connection on."""
        self._network.call(setattr, self, "_target", target)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self._reset()
        for task in self._tasks:
            task.cancel()

    def _silence(self) -> None:
        for line in self._lines:
            line.silent = True

    def _reset(self) -> None:
        for line in list(self._lines):
            line.close(reset=True)

    def _refuse(self) -> None:
        self._refusing = True
        self._reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        line = Line(writer, writer)
        try:
            if not self._refusing:
                far_reader, line.far = await self._connect()
                line.filter = self.filters() if self.filters else None
                self._lines.add(line)
                await asyncio.wait(
                    {
                        asyncio.create_task(self._pump(line, reader, line.far, None)),
                        asyncio.create_task(self._pump(line, far_reader, writer, line.filter)),
                    },
                    return_when=asyncio.FIRST_COMPLETED,
                )
        except (OSError, asyncio.CancelledError):
            # Swallowed at the very end: in Python 3.11 the server would log a cancelled connection as an error.
            pass
        finally:
            self._tasks.discard(task)
            self._lines.discard(line)
            line.close(reset=self._refusing)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _pump(
        self,
        line: Line,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        change: Callable[[bytes], bytes] | None,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                if line.silent:
                    await asyncio.sleep(3600)
                self.bytes_passed += len(data)
                try:
                    writer.write(change(data) if change else data)
                except Cut as cut:
                    writer.write(cut.passed)
                    return
                finally:
                    await writer.drain()


class Network:
    """The thread that all proxies of a test live in. `with` starts and stops it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._proxies: list[Proxy] = []

    def __enter__(self) -> "Network":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            asyncio.run_coroutine_threadsafe(proxy.stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def proxy(self, target: Address) -> Proxy:
        """A running proxy in front of this server."""
        proxy = Proxy(self, target)
        asyncio.run_coroutine_threadsafe(proxy.start(), self._loop).result(5)
        self._proxies.append(proxy)
        return proxy

    def call(self, verb: Callable[..., object], *arguments: object) -> None:
        """Do it in the proxies' thread, and return when it is done."""
        done = threading.Event()

        def act() -> None:
            verb(*arguments)
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(5)
