"""`make audit`: what is publicly known against the packages that the image installs.

Ends with 1 for a known vulnerability. Where the advisories cannot be had (no network, an index that does not carry
them) it says so and ends with 0: that is no finding, and no clean bill either.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
COMMAND = [
    *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off"),
]


def verdict(report: str) -> tuple[int, str]:
    """pip-audit's report as (exit code, what to say)."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return 0, "The audit could not be done: the advisories cannot be reached."
    found = [_described(one, weakness) for one in packages for weakness in one.get("vulns", ())]
    unknown = sorted(one["name"] for one in packages if "skip_reason" in one)
    if found:
        return 1, "\n".join(["Known vulnerabilities:", *found])
    if unknown:
        return (
            0,
            f"The audit could not be done for {len(unknown)} of {len(packages)} packages: no advisories.",
        )
    return 0, f"Nothing is known against the {len(packages)} packages."


def _described(package: dict[str, Any], weakness: dict[str, Any]) -> str:
    fixed = ", ".join(weakness["fix_versions"]) or "nothing yet"
    return f"{package['name']} {package['version']}: {weakness['id']}, fixed in {fixed}"


def main() -> int:
    """Ask, say, and give the exit code."""
    report = subprocess.run(COMMAND, capture_output=True, text=True, check=False).stdout
    code, words = verdict(report)
    print(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
