"""What the programs are told."""

import os

import pytest
from pydantic import ValidationError

from local.plan import environment, plan
from local.settings import LocalSettings


def told(settings: LocalSettings) -> dict[str, str]:
    owner_url = None if settings.database_url else "postgresql://owner"
    urls = {"database_url": "postgresql://ours", "owner_url": owner_url, "redis_url": "unix:///ours"}
    env = environment(settings, port=8123, secret="s3", **urls)  # type: ignore[arg-type]
    return {name: value for name, value in env.items() if os.environ.get(name) != value}


def test_the_servers_we_bring_are_the_only_ones() -> None:
    env = told(LocalSettings(database_url=None, redis_url=None))
    assert (env["DATABASE_URL"], env["MIGRATIONS_DATABASE_URL"]) == ("postgresql://ours", "postgresql://owner")
    assert env["REDIS_URL"] == env["EVENTS_REDIS_URL"] == "unix:///ours"


def test_servers_given_by_url_leave_the_rest_of_their_names_alone() -> None:
    env = told(LocalSettings(database_url="postgresql://theirs", redis_url="redis://theirs"))
    assert "MIGRATIONS_DATABASE_URL" not in env
    assert "EVENTS_REDIS_URL" not in env


def test_the_page_can_sign_in_where_the_user_can_reach_it() -> None:
    env = told(LocalSettings(public_url=None))
    assert (env["PORT"], env["PUBLIC_URL"]) == ("8123", "http://localhost:8123")
    assert (env["DEV_TOKEN"], env["BETTER_AUTH_SECRET"]) == ("1", "s3")
    assert told(LocalSettings(public_url="https://chat.example", dev_token=False))["DEV_TOKEN"] == "0"


def test_there_are_as_many_workers_as_asked_for() -> None:
    names = [program.name for program in plan(LocalSettings(workers=3)).programs]
    assert names == ["api", "worker-1", "worker-2", "worker-3"]


def ports(metrics_port: int | None) -> list[str | None]:
    programs = plan(LocalSettings(workers=2, metrics_port=metrics_port)).programs
    return [program.env.get("METRICS_PORT") for program in programs]


def test_each_worker_has_a_port_of_its_own_for_its_metrics() -> None:
    assert ports(9100) == [None, "9100", "9101"]
    assert ports(None) == ports(0) == [None, None, None]


def test_an_example_answers_where_one_is_named() -> None:
    assert told(LocalSettings(example="kitchen"))["CHATKIT_SERVER"] == "examples.kitchen:Server"
    assert "CHATKIT_SERVER" not in told(LocalSettings(example=None))
    with pytest.raises(ValidationError, match="the examples are expenses, kitchen"):
        LocalSettings(example="nothing")
