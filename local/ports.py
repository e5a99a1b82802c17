"""The port on which the API will listen."""

import errno
import socket

from local.errors import CannotRun


def choose_port(host: str, port: int) -> int:
    """`port`, or any free one for 0. Raises CannotRun where nobody could listen on it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # As servers do: a connection that is only being forgotten does not occupy the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotRun(f"Port {port} is in use: choose another one, as in `make run PORT={port + 1}`.") from None
        raise CannotRun(f"Nothing can listen on {host}, port {port}: {error.strerror}.") from None
