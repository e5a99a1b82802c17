"""Agents under the seam, without the server around them: one attempt at a time, its journal loaded or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents import Agent, Model, Runner
from agents.result import RunResultStreaming
from agents.testing import ScriptedModel, assistant_message, function_call
from chatkit.agents import AgentContext
from chatkit.types import ThreadMetadata

from shared.database import Database
from shared.records import Record
from shared.tables import Run
from tests.rows import DAY
from worker.conversation_store import ConversationStore
from worker.current_run import CurrentRun, carrying_out
from worker.journal import Journal

OUTPUT = "function_call_output"


class Attempt:
    """What one attempt at a run does with its agents."""

    def __init__(self, database: Database, run: Run) -> None:
        self.said: list[Record] = []
        self.current = CurrentRun(run, say=self.said.append)
        self.current.journal = self.journal = Journal(database, self.current)
        thread = ThreadMetadata(id=run.conversation_id or "", created_at=DAY)
        self.context: AgentContext[Any] = AgentContext(
            thread=thread, store=ConversationStore(database), request_context=None
        )

    @contextmanager
    def underway(self) -> Iterator[None]:
        with carrying_out(self.current):
            yield

    async def ask(self, agent: Agent[Any], question: str = "go", **how: Any) -> RunResultStreaming:
        """The agent's whole answer."""
        with self.underway():
            result = Runner.run_streamed(agent, question, context=self.context, **how)
            async for _ in result.stream_events():
                pass
        return result

    @property
    def events(self) -> list[Any]:
        """What the tools have streamed through the agent context."""
        queue = self.context._events
        return [queue.get_nowait() for _ in range(queue.qsize())]


async def later(database: Database, run: Run) -> Attempt:
    """An attempt that knows what the journal holds."""
    attempt = Attempt(database, run)
    await attempt.journal.load()
    return attempt


def calls_then_says(*names: str, text: str = "done", call: str = "call") -> ScriptedModel:
    """A model that calls these tools at once, and then says a text."""
    calls = [function_call(name, {}, call_id=f"{call}_{number}") for number, name in enumerate(names)]
    return ScriptedModel([calls, [assistant_message(text, item_id="msg_a")]])


def says(text: str) -> ScriptedModel:
    """A model that says a text, once."""
    return ScriptedModel([[assistant_message(text, item_id="msg_a")]])


def silent() -> Model:
    """A model that must not be asked."""
    return ScriptedModel([])


def outputs(model: ScriptedModel) -> list[Any]:
    """The tools' outputs as the model was last sent them."""
    last = model.last_call
    assert last is not None
    return [item["output"] for item in last.input if item.get("type") == OUTPUT]
