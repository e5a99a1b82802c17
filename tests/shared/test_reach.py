"""What is not there when a process starts is said in one sentence, and its address is not."""

from structlog.testing import capture_logs

from shared.reach import unreachable
from tests.house import Servers
from tests.values import settings_of


def test_with_both_servers_there_is_no_complaint(servers: Servers) -> None:
    assert unreachable(settings_of(database_url=servers.postgres.url, redis_url=servers.redis.url)) is None


def test_the_complaint_names_the_server_that_is_missing(servers: Servers) -> None:
    postgres, redis = servers.postgres.url, servers.redis.url
    for told, settings in (
        ("Postgres", settings_of(database_url="postgresql://u:secret@/x?host=/nowhere", redis_url=redis)),
        ("Redis", settings_of(database_url=postgres, redis_url="unix:///nowhere/redis.sock")),
        ("Redis", settings_of(database_url=postgres, redis_url=redis, events_redis_url="unix:///nowhere/redis.sock")),
    ):
        complaint = unreachable(settings)
        assert complaint is not None
        assert complaint.startswith(f"{told} cannot be reached")
        assert "nowhere" not in complaint


def test_a_role_that_no_policy_holds_is_warned_of(servers: Servers) -> None:
    for url, warnings in ((servers.postgres.url, 1), (servers.postgres.application_url, 0)):
        with capture_logs() as said:
            assert unreachable(settings_of(database_url=url, redis_url=servers.redis.url)) is None
        assert len(said) == warnings, said
