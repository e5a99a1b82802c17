"""What a message may ask for in its `inference_options`: models and tools, each only from a list."""

from dataclasses import dataclass

from shared.settings import Settings

TASK_TOOLS = ("add_task", "list_tasks", "update_task", "complete_task", "delete_task")
"""The default agent's tools."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The lists; None where a team's own server decides, which knows its models and tools better than we do."""

    models: tuple[str, ...] | None
    tools: tuple[str, ...] | None
    default_model: str | None

    @classmethod
    def of(cls, settings: Settings) -> "Choices":
        """From the settings."""
        if settings.chatkit_server:
            return cls(settings.models or None, settings.tool_choices or None, None)
        models = tuple(dict.fromkeys((settings.model_name, *settings.models)))
        return cls(models, settings.tool_choices or TASK_TOOLS, settings.model_name)

    def allow(self, *, model: str | None, tool: str | None) -> bool:
        """Whether a message may ask for these."""
        return (model is None or self.models is None or model in self.models) and (
            tool is None or self.tools is None or tool in self.tools
        )
