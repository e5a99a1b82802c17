"""The scripted model: what answers where no model key is set, so that the whole system can be tried."""

from worker.scripted.model import ScriptedModel

__all__ = ["ScriptedModel"]
