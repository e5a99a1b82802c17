"""What a meter has measured, and what a process's page of metrics says."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.metrics import Meter

Scrape = Mapping[str, float]
"""A page: values by sample, as it is written there, `chatkit_runs_ended_total{kind="respond",…}`."""


def number(meter: Meter, name: str, **labels: str) -> float:
    """A sample's value; 0 for one that is not there."""
    return meter.registry.get_sample_value(f"chatkit_{name}", labels) or 0.0


def names(page: str) -> set[str]:
    """The samples that the page's metrics have, the declared ones included."""
    found = set()
    for family in text_string_to_metric_families(page):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {family.name + suffix for suffix in suffixes}
    return found


def scrape(url: str) -> Scrape:
    """Our own numbers at this address now, the zeros and the histograms' buckets left out."""
    page = httpx.get(f"{url}/metrics").raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    ours = [one for one in samples if one.name.startswith("chatkit_") and not one.name.endswith(("_bucket", "_sum"))]
    return {_written(one.name, one.labels): one.value for one in ours if one.value}


def _written(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
