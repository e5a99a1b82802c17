"""The model of the examples: the one that the environment names, or rules where it names none."""

from agents import Model

from shared.settings import SCRIPTED, Settings
from worker.model import build_model
from worker.scripted.rules import Rule, RuleModel


def model_or(rule: Rule) -> Model:
    """MODEL (or a key) decides; without either, the rule answers."""
    settings = Settings()
    return RuleModel(rule) if settings.model_name == SCRIPTED else build_model(settings)
