"""The default responder, with the metered model in the place of a provider's."""

from typing import Any

from benchmarks.model import MeteredModel
from shared.settings import Settings
from worker.agent import build_agent
from worker.attachment_store import OwnAttachments
from worker.conversation_store import ConversationStore
from worker.models import Models
from worker.responder import TodoServer
from worker.turns import Turns


def todo(store: ConversationStore, attachment_store: OwnAttachments) -> Any:
    """A TodoServer as the worker wires it (worker/wiring.py)."""
    settings, database, model = Settings.load(), store._database, MeteredModel()
    models = Models(settings)
    models.default = model
    return TodoServer(
        store,
        attachment_store,
        agent=build_agent(model, database),
        models=models,
        turns=Turns(database, budget=settings.history_tokens),
    )
