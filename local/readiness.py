"""Asks the API whether the whole system is ready."""

import http.client


def is_ready(host: str, port: int) -> tuple[bool, str]:
    """Whether /readyz says so, and what it said."""
    # An address to listen on may be one that nobody can call.
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK, answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer ({error})"
    finally:
        connection.close()
