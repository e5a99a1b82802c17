"""What the environment says about the whole system on one machine."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from local.errors import CannotRun

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


class LocalSettings(BaseSettings):
    """The few names that `python -m local` itself looks at; every other name passes through to its children."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True)

    database_url: str | None = None
    """A Postgres to use instead of the embedded one."""
    redis_url: str | None = None
    """A Redis to use instead of the embedded one."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes any free port."""
    workers: int = Field(default=2, ge=1, le=64)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """The first worker's; each of the others has the next one. 0 takes any free ones."""
    drain_seconds: float = Field(default=5.0, ge=0)
    """How long a stop lets answers end: shorter than in production, because someone sits and waits."""
    public_url: str | None = None
    better_auth_secret: SecretStr | None = None
    dev_token: bool = True
    example: str | None = None
    """One of examples/: its ChatKitServer answers."""

    @field_validator("example")
    @classmethod
    def _example(cls, value: str | None) -> str | None:
        names = sorted(path.parent.name for path in EXAMPLES.glob("*/__init__.py"))
        if value is not None and value not in names:
            raise ValueError(f"the examples are {', '.join(names)}")
        return value

    @property
    def is_open_to_all(self) -> bool:
        """Whether others on the network could take a token for any name."""
        return self.dev_token and self.host not in ("127.0.0.1", "::1", "localhost")


def read_settings() -> LocalSettings:
    """Raises CannotRun with the first name that makes no sense."""
    try:
        return LocalSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(map(str, first["loc"])).upper()
        raise CannotRun(f"{name}={first['input']} makes no sense: {first['msg']}.") from None
