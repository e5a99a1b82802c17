"""The API that is fuzzed, in this process. FUZZ_REQUESTS says how many requests each test sends."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.api.conftest import api_of
from tests.fuzz.asked import Bearer
from tests.house import Servers
from tests.values import settings_of

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "300"))

settings.register_profile(
    "door",
    max_examples=REQUESTS,
    derandomize="FUZZ_REQUESTS" not in os.environ,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)

AS_MANY_AS_ONE_LIKES = dict.fromkeys(
    ("max_active_runs", "max_queued", "max_submits_per_minute", "max_requests_per_minute"), 10**9
)


@pytest.fixture(scope="module")
def bearer(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bearer]:
    """Its calls time out at once, its streams end at once, and nothing is too much for one user."""
    url, directory = servers.new_database(), tmp_path_factory.mktemp("fuzz")
    values = settings_of(
        database_url=url,
        redis_url=f"{servers.redis.url}?db=9999",
        attachments_dir=Path(directory),
        call_timeout=0.01,
        dev_token=True,
        **AS_MANY_AS_ONE_LIKES,
    )
    with asyncio.Runner() as runner, psycopg.connect(url, autocommit=True) as rows:
        context = api_of(values)
        api = runner.run(context.__aenter__())
        api.house.closing.set()
        yield (fuzzed := Bearer(api, values, rows, runner))
        runner.run(context.__aexit__(None, None, None))
    print(f"{fuzzed.statuses.total()} requests: {dict(sorted(fuzzed.statuses.items()))}")
