"""A run carried out in the test's own process: admitted, claimed, answered by a server, finished."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents import Model
from chatkit.server import ChatKitServer
from chatkit.types import InferenceOptions, UserMessageInput, UserMessageTextContent

from api.prelude import Prelude, first_message, next_message
from shared import conversations, runs
from shared.attachments import AttachmentRules
from shared.context import RequestContext
from shared.database import Database
from shared.files import DirectoryFiles
from shared.ids import new_id
from shared.messages import Writer
from shared.records import Record
from shared.runs import Runs, RunStatus
from shared.settings import Settings
from shared.signed_urls import SignedUrls
from shared.tables import Run
from worker import runner
from worker.agent import build_agent
from worker.attachment_store import OwnAttachments
from worker.conversation_store import ConversationStore
from worker.current_run import CurrentRun, carrying_out
from worker.journal import Journal
from worker.models import Models
from worker.request import BuildContext, events_of
from worker.responder import TodoServer
from worker.turns import Turns

RULES = AttachmentRules(1_000_000, ("image/png", "text/plain"), SignedUrls("http://here", b"key", 60))


async def as_it_is(context: RequestContext) -> Any:
    """The context, unchanged."""
    return context


@dataclass
class Talk:
    """One user's conversation with a server."""

    database: Database
    server: ChatKitServer[Any]
    user_id: str = "ann"
    build_context: BuildContext = as_it_is
    conversation_id: str | None = None
    said: list[Record] = field(default_factory=list)

    async def say(self, text: str, **parts: Any) -> list[Any]:
        """The server's events in answer to this message."""
        options = InferenceOptions.model_validate(parts.pop("inference_options", {}))
        content = parts.pop("content", [UserMessageTextContent(text=text)])
        attached = parts.pop("attachments", [])
        message = UserMessageInput(content=content, attachments=attached, inference_options=options, **parts)
        prelude = next_message(self.conversation_id, message) if self.conversation_id else first_message(message)
        self.conversation_id = prelude.conversation_id
        return await self.carry_out(await self.admit(prelude))

    async def admit(self, prelude: Prelude) -> Run:
        """The prelude's run, claimed."""
        run_id = new_id("run")
        async with self.database.across_users.transaction() as connection:
            if prelude.created and prelude.conversation_id:
                await conversations.insert(connection, self.user_id, prelude.conversation_id)
            await runs.insert(
                connection,
                run_id=run_id,
                user_id=self.user_id,
                conversation_id=prelude.conversation_id,
                kind=prelude.kind,
                request={"subject": self.user_id, **prelude.request},
                deadline=60,
            )
            await prelude.apply(connection, Writer(run_id, 0, self.user_id))
        return (await Runs(self.database).claim(run_id, "a test")).run

    async def carry_out(self, run: Run) -> list[Any]:
        """The run's events; it is finished afterwards."""
        runner.install(idle_timeout=10)
        current = CurrentRun(run, self.said.append)
        current.journal = Journal(self.database, current)
        with carrying_out(current):
            events = [event async for event in events_of(self.server, self.build_context, current)]
        if current.failure is not None:
            raise current.failure
        await Runs(self.database).finish(run, RunStatus.COMPLETED)
        return events


Talking = Callable[..., Talk]


def todo_server(
    database: Database,
    settings: Settings,
    directory: Path,
    *,
    budget: int = 30_000,
    wrap: Callable[[Model], Model] = lambda model: model,
) -> TodoServer:
    """The default server, with its model as the settings say."""
    models = Models(settings)
    return TodoServer(
        ConversationStore(database),
        OwnAttachments(database, DirectoryFiles(directory), RULES),
        agent=build_agent(wrap(models.default), database),
        models=models,
        turns=Turns(database, budget=budget),
    )
