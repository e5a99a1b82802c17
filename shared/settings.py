"""The environment, turned into a value: one `Settings` per process, built at its start and passed in."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.redis import SCHEMES

SCRIPTED = "scripted"
ATTACHMENT_TYPES = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "application/json",
    "text/plain",
    "text/markdown",
    "text/csv",
)
MAX_ISSUER = 255
_ON_THIS_MACHINE = [("http", host) for host in ("localhost", "127.0.0.1", "::1")]
BusyPolicy = Literal["auto", "reject", "interrupt"]


class UnusableSettings(ValueError):
    """The environment says too little, or something wrong. Its text is for the operator."""


class Settings(BaseSettings):
    """What the environment says (names in capitals; see .env.example). Durations are in seconds."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True)

    database_url: str
    migrations_database_url: str | None = None
    database_prepare: bool = True
    """Off behind a pooler in transaction mode that does not keep prepared statements apart."""
    redis_url: str
    events_redis_url: str | None = None
    public_url: str = "http://localhost:8000"
    port: int = Field(default=8000, ge=0, le=65535)
    host: str = "127.0.0.1"
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    better_auth_secret: SecretStr | None = None
    auth_jwks_url: str | None = None
    """Where the issuer publishes the keys of RS256, ES256 and EdDSA tokens."""
    auth_issuer: Annotated[tuple[str, ...], NoDecode] = ()
    """Whose tokens are good; anyone's who holds a key, where none is named."""
    auth_audience: Annotated[tuple[str, ...], NoDecode] = ()
    """A token must be meant for one of these; for whomever it likes, where none is named."""
    auth_max_age: int = Field(default=24 * 3600, gt=0)
    token_grace: float = Field(default=60.0, ge=0)
    """How long a stream may outlive the token that it was asked for with."""
    dev_token: bool = False
    """`POST /dev/token` hands out tokens to anyone who asks: the local system alone sets this."""

    model: str | None = None
    model_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    gemini_api_key: SecretStr | None = None
    gemini_model: str | None = None
    model_idle_timeout: float = Field(default=60.0, gt=0)
    models: Annotated[tuple[str, ...], NoDecode] = ()
    """More models that a message may ask for, beside the default one."""
    tool_choices: Annotated[tuple[str, ...], NoDecode] = ()
    """Tools that a message may ask for; the default agent's own unless told otherwise."""

    chatkit_domain_key: str | None = None
    """The key of this domain for OpenAI's ChatKit component; with it, /component.html shows the real one."""
    chatkit_server: str | None = None
    chatkit_context: str | None = None
    busy_policy: BusyPolicy = "auto"

    run_deadline: float = Field(default=900.0, gt=0)
    """How long a run may take, counted from its admission."""
    call_timeout: float = Field(default=30.0, gt=0)
    """How long a request waits for a team's code that answers with JSON."""
    log_tail: float = Field(default=3600.0, gt=0)
    """How long an ended run's event log is kept in Redis."""
    max_queued: int = Field(default=1000, gt=0)
    """Runs that may wait for a worker; past that a message is refused before anything is stored."""
    max_active_runs: int = Field(default=50, gt=0)
    """Runs of one user that may be queued or running at once."""
    max_running_runs: int = Field(default=10, gt=0)
    """Runs of one user that workers carry out at once; that user's others wait, and nobody else waits for them."""
    max_submits_per_minute: int = Field(default=120, gt=0)
    """Runs that one user may ask for in a minute, at all API processes together."""
    max_requests_per_minute: int = Field(default=3000, gt=0)
    """Everything else that one user may ask for in a minute, at all API processes together."""
    max_open_streams: int = Field(default=50, gt=0)
    """Streams of one user that one API process keeps open at once."""
    max_turns: int = Field(default=25, gt=0)
    """Model calls of one `Runner` call, whatever server makes it; fewer where it asks for fewer."""
    max_tool_calls: int = Field(default=100, gt=0)
    """Tool calls of one run, over all its attempts."""
    max_tokens_per_day: int = Field(default=0, ge=0)
    """Tokens that one user's runs may take in a day (UTC) before new messages are refused; 0 is no bound."""
    tool_timeout: float = Field(default=300.0, gt=0)
    """How long a tool may take that has no timeout of its own."""
    max_tool_output: int = Field(default=100_000, gt=0)
    """Characters of a tool's output that its model is given."""
    history_tokens: int = Field(default=30_000, gt=0)
    """What of a conversation's past the default agent's model is given, at most."""
    drain_seconds: float = Field(default=30.0, ge=0)
    """How long a stopping worker lets its runs end before it hands them over where they are."""
    worker_slots: int = Field(default=100, gt=0)
    """Runs that one worker process carries out at once."""
    max_loop_lag: float = Field(default=0.25, gt=0)
    """How late a worker's event loop may be while it still takes more runs."""
    ping_interval: float = Field(default=15.0, gt=0)
    send_timeout: float = Field(default=30.0, gt=0)
    body_timeout: float = Field(default=30.0, gt=0)
    """How long a body may take to arrive; one that is large and keeps coming is given more (see api/body.py)."""
    max_body_bytes: int = Field(default=1_000_000, gt=0)
    max_text_length: int = Field(default=100_000, gt=0)
    attachments_dir: Path = Path(".local/attachments")
    """Where attachments' bytes are kept; every API and worker process must see it."""
    max_attachment_bytes: int = Field(default=20_000_000, gt=0)
    attachment_types: Annotated[tuple[str, ...], NoDecode] = ATTACHMENT_TYPES
    attachment_url_seconds: float = Field(default=12 * 3600, gt=0)
    """How long a preview's signed address is good, and one to upload to."""
    attachment_unbound_seconds: float = Field(default=24 * 3600, gt=0)
    """How long an attachment that no message carries is kept."""
    metrics_token: SecretStr | None = None
    """Whoever reads the metrics must know it, if there is one."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Where a worker shows its metrics, on `host`: nowhere unless told, and anywhere free for 0."""
    otel_exporter_otlp_endpoint: str | None = None
    """The OpenTelemetry collector that spans are sent to (OTLP over HTTP); without one nothing is traced."""
    otel_exporter_otlp_headers: SecretStr | None = None
    otel_service_name: str | None = None
    retention_days: int | None = Field(default=None, gt=0)
    """Days after which a conversation that nobody has touched is deleted; kept for ever unless told."""
    journal_days: int = Field(default=7, gt=0)
    """Days for which an ended run's journal is kept: recovery needs it no more, somebody who looks into it may."""
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator(
        *("cors_origins", "models", "tool_choices", "attachment_types", "auth_issuer", "auth_audience"), mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url", "migrations_database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("redis_url", "events_redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(SCHEMES):
            raise ValueError("must begin with " + " or ".join(SCHEMES))
        return value

    @field_validator("auth_jwks_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and parts.scheme != "https" and (parts.scheme, parts.hostname) not in _ON_THIS_MACHINE:
            raise ValueError("must begin with https:// (or http://localhost)")
        return value

    @field_validator("auth_issuer")
    @classmethod
    def _partible(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # Among several issuers a user is `issuer|subject`: a bar within would make two users one.
        if any("|" in issuer or not issuer.isprintable() or len(issuer) > MAX_ISSUER for issuer in value):
            raise ValueError(f"an issuer has at most {MAX_ISSUER} characters, and none of them is |")
        return value

    @classmethod
    def load(cls) -> "Settings":
        """The environment's settings. Raises UnusableSettings."""
        try:
            return cls()
        except ValidationError as error:
            problems = [f"{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors(include_input=False)]
            raise UnusableSettings("The environment is not complete. " + "; ".join(problems)) from None

    @property
    def model_name(self) -> str:
        """The LiteLLM name of the default model, or `scripted` where no key was given at all."""
        if self.model:
            return self.model
        if self.gemini_api_key:
            name = self.gemini_model or "gemini-2.5-flash"
            return name if "/" in name else f"gemini/{name}"
        return "openai/gpt-4.1-mini" if self.openai_api_key else SCRIPTED

    @property
    def events_url(self) -> str:
        """The Redis that keeps the event logs; the queue's own unless told otherwise."""
        return self.events_redis_url or self.redis_url
