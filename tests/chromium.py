"""Debian's Chromium, which the browser tests drive; they are skipped where it is not installed."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "The browser tests are skipped: there is no chromium here (on Debian and Ubuntu: apt-get install chromium)."
