"""The dashboard, the alert rules and the page about metrics speak of the metrics that there are."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from agents.run import AgentRunner, set_default_agent_runner

from tests.api.conftest import api_of
from tests.house import ROOT
from tests.numbers import names
from tests.values import settings_of
from worker.wiring import wired

pytestmark = pytest.mark.anyio

METRIC = re.compile(r"\b(?:chatkit|process)_[a-z_]+\b")


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((ROOT / "deploy/grafana/chatkit.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture
async def shown(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[set[str]]:
    """The samples that an API and a worker can have."""
    servers = {"database_url": database_url, "redis_url": redis_url, "attachments_dir": tmp_path}
    settings = settings_of(**servers)
    async with api_of(settings) as api, wired(settings) as wiring:
        yield names((api.house.meter.page() + wiring.meter.page()).decode())
    set_default_agent_runner(AgentRunner())


async def test_whatever_the_dashboard_and_the_alerts_ask_for_is_there(shown: set[str]) -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    expressions += [rule["expr"] for rule in rules()]
    asked = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(asked) > 40
    assert asked - shown == set()


async def test_the_page_about_metrics_has_a_line_for_each_and_for_no_other(shown: set[str]) -> None:
    lines = re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    ours = {name.removeprefix("chatkit_") for name in shown if name.startswith("chatkit_")}
    assert set(lines) == {name for name in ours if not re.search("_(sum|count)$", name)}
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert len(rule["annotations"]["summary"]) > 20
    assert len(rule["annotations"]["runbook"]) > 100
    sent_on = re.findall(r"\bChatkit\w+", rule["annotations"]["runbook"])
    assert set(sent_on) <= {other["alert"] for other in rules()}
    mentioned = METRIC.findall(rule["annotations"]["runbook"])
    assert all(f"`{name.removeprefix('chatkit_')}" in (ROOT / "docs/metrics.md").read_text() for name in mentioned)


def test_every_panel_has_a_title_of_its_own_and_a_place_of_its_own() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    titles = [panel["title"] for panel in panels()]
    assert len(set(places)) == len(set(titles)) == len(panels()) > 30
