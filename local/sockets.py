"""Where the embedded servers put their Unix sockets."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from local.errors import CannotRun

# sun_path holds 104 bytes on macOS and 108 on Linux, and Postgres adds "/.s.PGSQL.5432".
_LONGEST_DIRECTORY = 85


def socket_directory(data_dir: Path) -> Path:
    """`data_dir` itself, or a private temporary directory where its path is too long or needs quoting in a URL."""
    if len(os.fsencode(data_dir)) <= _LONGEST_DIRECTORY and re.fullmatch(r"[\w./+-]+", str(data_dir), re.ASCII):
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"chatkit-{os.getuid()}-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    # The name can be guessed, so another user may have made it first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise CannotRun(f"{directory} should be a private directory of yours, and is not: remove it.")
    return directory
