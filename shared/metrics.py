"""What an API and a worker both measure, and how a process's measures are read.

There are two ways to a number. What happens to a run is told to the process's meter, by a verb. What a part
knows of itself (a pool, a connection, the slots) it knows without a meter: a scrape reads it. Neither costs
anything for a delta. No label carries an id: each has a handful of values, known beforehand or bounded here.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from shared.channels import Channels
from shared.database import AWAY, Database
from shared.event_log import EventLog
from shared.queue import Queue
from shared.settings import Settings

WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: the buckets for what a user waits for."""
LONG = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 900.0)
"""Seconds: the buckets for whole answers, model calls and streams."""

Numbers = Mapping[tuple[str, ...], float]
"""Values by the values of their labels; `{(): 3}` where there is none."""

POOL_ERRORS = (("connect", "connections_errors"), ("lost", "connections_lost"), ("wait", "requests_errors"))
"""Our words, and the names of psycopg_pool."""


@dataclass(frozen=True)
class _ReadMetric:
    """A metric whose numbers are kept elsewhere and read at each scrape."""

    family: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    meaning: str
    labels: Sequence[str]
    read: Callable[[], Numbers]

    def collect(self) -> list[Metric]:
        metric = self.family(self.name, self.meaning, labels=self.labels)
        for values, number in self.read().items():
            metric.add_metric(values, number)
        return [metric]


class Meter:
    """One process's measures, in a registry of its own: nothing is shared with another meter of the same process."""

    def __init__(self) -> None:
        # A time of birth beside every number says nothing that a scrape does not; the library keeps this globally.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._away = self._counter(
            "server_away",
            "Work that was put off or refused because Postgres or Redis was away.",
            server=("postgres", "redis"),
        )

    def away(self, error: BaseException) -> None:
        """Postgres or Redis was away when it was needed: one of `AWAY` or `REDIS_AWAY` says so."""
        self._away.labels("postgres" if isinstance(error, AWAY) else "redis").inc()

    def read_parts(self, channels: Channels, log: EventLog, queue: Queue) -> None:
        """Show at each scrape what these parts know of themselves."""
        self._counts(
            "channel_connections_lost",
            "Pub/sub connections that broke, or could not be made.",
            lambda: {(): channels.lost},
        )
        self._counts(
            "log_rereads",
            "Times that a follower of a log read it again: a gap, an overflow, a new connection.",
            lambda: {(): log.rereads},
        )
        self._counts("rings", "Rings of the workers' bell by this process.", lambda: {(): queue.rings})

    def read_pools(self, **pools: Database) -> None:
        """Show at each scrape how these pools of Postgres connections stand."""

        def each(*numbers: tuple[str, ...]) -> Callable[[], Numbers]:
            return lambda: {
                (pool, *labels): database.stats().get(key, 0)
                for pool, database in pools.items()
                for *labels, key in numbers
            }

        self._gauges("postgres_connections", "Connections of a pool.", each(("pool_size",)), "pool")
        self._gauges(
            "postgres_connections_idle", "Connections of a pool that nobody uses.", each(("pool_available",)), "pool"
        )
        self._gauges("postgres_connections_limit", "Connections that a pool may have.", each(("pool_max",)), "pool")
        self._gauges("postgres_waiting", "Statements that wait for a connection.", each(("requests_waiting",)), "pool")
        self._counts(
            "postgres_errors",
            "Connections that could not be made (connect), broke (lost), or were waited for in vain (wait).",
            each(*POOL_ERRORS),
            "pool",
            "error",
        )

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, /, **labels: Iterable[str]) -> Counter:
        """A counter, from the start at zero where all values of its labels are known: a rate needs a first number."""
        counter = Counter(f"chatkit_{name}", meaning, labels, registry=self.registry)
        for values in product(*labels.values()) if labels else ():
            counter.labels(*values)
        return counter

    def _histogram(self, name: str, meaning: str, /, *labels: str, buckets: Sequence[float] = WAITS) -> Histogram:
        return Histogram(f"chatkit_{name}", meaning, labels, buckets=buckets, registry=self.registry)

    def _counts(self, name: str, meaning: str, read: Callable[[], Numbers], /, *labels: str) -> None:
        self.registry.register(_ReadMetric(CounterMetricFamily, f"chatkit_{name}", meaning, labels, read))

    def _gauges(self, name: str, meaning: str, read: Callable[[], Numbers], /, *labels: str) -> None:
        self.registry.register(_ReadMetric(GaugeMetricFamily, f"chatkit_{name}", meaning, labels, read))


def may_read(settings: Settings, authorization: str | None) -> bool:
    """Whether the bearer of this header may read the metrics: anyone, unless METRICS_TOKEN is set."""
    if settings.metrics_token is None:
        return True
    expected = f"Bearer {settings.metrics_token.get_secret_value()}"
    return hmac.compare_digest(expected.encode(), (authorization or "").encode())


class Bounded:
    """Values that a label may take: the first so many that come, and `other` for the rest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if len(self._known) < self._most:
            self._known.add(value)
        return value if value in self._known else "other"
