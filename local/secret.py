"""The secret that signs this machine's tokens."""

import os
import secrets
from pathlib import Path


def keep_secret(path: Path) -> str:
    """The secret in `path`, made there at the first call and readable by its owner only."""
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    made = secrets.token_urlsafe(48)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(made)
    fresh.rename(path)
    return made
