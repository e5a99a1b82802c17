"""What deploy/ and docker-compose.yml say, read as YAML."""

import re
from pathlib import Path
from typing import Any

import yaml

from shared.settings import Settings
from tests.house import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
NAMES = {name.upper() for name in Settings.model_fields}
"""Of the environment, as far as we read it."""

Json = dict[str, Any]


def compose() -> Json:
    """docker-compose.yml."""
    read: Json = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def objects(file: Path) -> list[Json]:
    """The objects in this file."""
    return list(yaml.safe_load_all(file.read_text()))


def all_objects() -> list[Json]:
    """Every Kubernetes object, those that are optional too."""
    files = (file for file in sorted(KUBERNETES.glob("*.yaml")) if file.name != "kustomization.yaml")
    return [one for file in files for one in objects(file)]


def seconds(duration: str) -> float:
    """Compose's durations, as far as they are used here."""
    number = re.fullmatch(r"(\d+)s", duration)
    assert number is not None, duration
    return float(number[1])
