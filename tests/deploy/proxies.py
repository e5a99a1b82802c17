"""Debian's nginx with the configuration of deploy/proxy, in front of a house's APIs."""

import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from local.process import Child
from tests.faults.waiting import until
from tests.house import ROOT, House, free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
MISSING = "The proxy is not tried: there is no nginx here (on Debian and Ubuntu: apt-get install nginx-light)."

PATIENCE_SECONDS = 3


@contextmanager
def proxied(house: House, directory: Path) -> Iterator[str]:
    """A running nginx, its files all in `directory`: its address.

    Names of hosts and places are changed, and its patience, which is too long for a test to outlast.
    """
    assert NGINX is not None
    port, conf = free_port(), directory / "chatkit"
    conf.mkdir()
    replicas = "".join(f"server {url.removeprefix('http://')} max_fails=1 fail_timeout=5s;" for url in house.urls)
    ours = {one: (ROOT / "deploy/proxy" / f"{one}.conf").read_text() for one in ("nginx", "chatkit", "upstream")}
    # Debian's nginx cannot ask a name anew, and there is none here to ask for.
    upstream = [line for line in ours["upstream"].splitlines() if not line.startswith("resolver")]
    upstream = [replicas if line.strip().startswith("server api:8000") else line for line in upstream]
    (conf / "upstream.conf").write_text("\n".join(upstream))
    site = ours["chatkit"].replace("listen 8080;", f"listen 127.0.0.1:{port};")
    assert "proxy_read_timeout 60s;" in site
    (conf / "chatkit.conf").write_text(site.replace("read_timeout 60s", f"read_timeout {PATIENCE_SECONDS}s"))
    main = re.sub(r"/etc/nginx|/tmp", str(directory), ours["nginx"])
    (directory / "nginx.conf").write_text(main)
    # As root it would become nobody, who may not write into a test's directory.
    user = "user root;" if os.geteuid() == 0 else ""
    with (directory / "log").open("wb") as log:
        child = Child([NGINX, "-c", str(directory / "nginx.conf"), "-g", f"daemon off; {user}"], output=log)
    try:
        until(lambda: _accepts(port) or not child.alive, "nginx")
        assert child.alive, (directory / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        child.stop(grace_seconds=5)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
