"""Settings of these values alone, whatever the environment says."""

from typing import Any

from shared.settings import Settings
from tests.house import SECRET

_KEYS = ("model", "model_base_url", "openai_api_key", "gemini_api_key", "gemini_model")
_ABSENT = {**dict.fromkeys(_KEYS), "database_url": "postgresql://nowhere", "redis_url": "unix:///nowhere/redis.sock"}


def settings_of(**values: Any) -> Settings:
    """The defaults, with these values."""
    return Settings(_env_file=None, **{**_ABSENT, "better_auth_secret": SECRET, **values})
