"""The environment, turned into a value, and what is wrong with it said in a sentence."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings, UnusableSettings
from tests.values import settings_of

SERVERS = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://r"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that names the servers, and a directory without a .env."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_servers_alone_are_enough(environment: pytest.MonkeyPatch) -> None:
    settings = Settings.load()
    assert (settings.database_url, settings.events_url) == ("postgresql://db/x", "redis://r")
    assert settings.model_name == "scripted"
    assert not settings.dev_token


def test_the_event_log_may_live_on_a_redis_of_its_own(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EVENTS_REDIS_URL", "redis://other")
    assert Settings.load().events_url == "redis://other"


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_not_named_is_named_in_the_complaint(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(UnusableSettings, match=f"{name}: Field required"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://secret-host"), ("REDIS_URL", "http://secret-host"), ("EVENTS_REDIS_URL", "secret-host")],
)
def test_an_address_of_another_kind_is_refused_and_not_quoted(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(UnusableSettings, match=f"{name}: .*must begin with") as refused:
        Settings.load()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["RUN_DEADLINE", "WORKER_SLOTS", "MAX_TURNS", "LOG_TAIL", "AUTH_MAX_AGE", "SEND_TIMEOUT"]
)
def test_a_number_that_makes_no_sense_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    for value in ("0", "-1", "many"):
        environment.setenv(name, value)
        with pytest.raises(UnusableSettings, match=name):
            Settings.load()


def test_a_name_left_empty_counts_as_not_given(environment: pytest.MonkeyPatch) -> None:
    for name in ("MODEL", "OPENAI_API_KEY", "EVENTS_REDIS_URL", "CHATKIT_SERVER"):
        environment.setenv(name, "")
    settings = Settings.load()
    assert (settings.model, settings.openai_api_key, settings.chatkit_server) == (None, None, None)
    assert settings.events_url == settings.redis_url


def test_a_file_beside_the_program_is_read_and_the_environment_wins(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("MODEL=from-file\nPORT=1234\nUNKNOWN=1\n")
    environment.setenv("PORT", "4321")
    settings = Settings.load()
    assert (settings.model, settings.port) == ("from-file", 4321)


def test_lists_are_parted_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CORS_ORIGINS", " https://a.example , https://b.example,")
    assert Settings.load().cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    "url",
    ["https://a.example/jwks", "http://localhost:3000/api/auth/jwks", "http://127.0.0.1/jwks", "http://[::1]:3000/"],
)
def test_keys_are_fetched_over_https_or_from_this_machine(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("AUTH_JWKS_URL", url)
    assert Settings.load().auth_jwks_url == url


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a.example/secret-jwks",
            "http://localhost@a.example/",
            "http://localhost.a.example/",
            "ftp://localhost/",
        ),
        *("file:///etc/passwd", "a.example/jwks", "http://127.0.0.1.a.example", "http://169.254.169.254/"),
    ],
)
def test_keys_that_anyone_on_the_way_could_change_are_refused(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("AUTH_JWKS_URL", url)
    with pytest.raises(UnusableSettings, match=r"AUTH_JWKS_URL: .*must begin with https://") as refused:
        Settings.load()
    assert "secret" not in str(refused.value)


def test_several_issuers_and_audiences_are_parted_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AUTH_ISSUER", "https://a.example, https://b.example")
    environment.setenv("AUTH_AUDIENCE", "chat")
    settings = Settings.load()
    assert (settings.auth_issuer, settings.auth_audience) == (("https://a.example", "https://b.example"), ("chat",))


@pytest.mark.parametrize("issuer", ["https://a.example|b", "|", "https://a.example,b|c", "a\nb", "x" * 256])
def test_an_issuer_that_could_make_two_users_one_is_refused(environment: pytest.MonkeyPatch, issuer: str) -> None:
    environment.setenv("AUTH_ISSUER", issuer)
    with pytest.raises(UnusableSettings, match=r"AUTH_ISSUER: .*none of them is"):
        Settings.load()


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({}, "scripted"),
        ({"gemini_api_key": "k", "gemini_model": "gemini-x"}, "gemini/gemini-x"),
        ({"gemini_api_key": "k", "gemini_model": "vertex_ai/gemini-x"}, "vertex_ai/gemini-x"),
        ({"gemini_api_key": "k"}, "gemini/gemini-2.5-flash"),
        ({"openai_api_key": "k"}, "openai/gpt-4.1-mini"),
        ({"gemini_api_key": "k", "model": "mine"}, "mine"),
    ],
)
def test_the_keys_choose_the_model(keys: dict[str, str], name: str) -> None:
    assert settings_of(**keys).model_name == name


def test_no_secret_is_shown_and_nothing_changes_later() -> None:
    settings = settings_of(better_auth_secret="top secret", openai_api_key="sk-secret", gemini_api_key="g-secret")
    assert "secret" not in repr(settings).replace("better_auth_secret", "")
    with pytest.raises(ValidationError):
        settings.port = 1
