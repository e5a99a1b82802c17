"""The models that a message may ask for: the default one, and those that the settings list."""

from agents import Model

from shared.settings import Settings
from worker.model import build_model


class Models:
    """Models by name; each is made when it is first asked for, the default one at once. Raises UnusableModel."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self.default = settings, build_model(settings)
        self._made = {settings.model_name: self.default}

    def named(self, name: str | None) -> Model:
        """The model of this name, and the default one for any name that is not listed."""
        if name not in self._settings.models:
            return self._made.get(name or "", self.default)
        if name not in self._made:
            self._made[name] = build_model(self._settings.model_copy(update={"model": name}))
        return self._made[name]

    async def close(self) -> None:
        """Close their connections."""
        for model in self._made.values():
            await model.close()
