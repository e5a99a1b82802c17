"""The SDK's store over our rows: a user's own, an attempt's own, and items of every kind."""

from typing import Any

import pytest
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import UserMessageItem

from shared.database import Database
from shared.runs import Runs
from tests.contract.servers.gallery import gallery
from tests.rows import queued
from tests.worker.carrying import Talk
from worker.conversation_store import ConversationStore
from worker.current_run import CurrentRun, carrying_out, current_run

pytestmark = pytest.mark.anyio


def server_of(database: Database, look: Any) -> Any:
    """A server that only looks into its store."""

    class Looking(ChatKitServer[Any]):
        async def respond(self, thread: Any, message: UserMessageItem | None, context: Any) -> Any:
            async for event in look(self.store, thread):
                yield event

    return Looking(ConversationStore(database))


async def test_every_item_is_loaded_as_it_was_stored_and_an_unknown_one_is_passed_over(database: Database) -> None:
    seen: list[Any] = []

    async def look(store: ConversationStore, thread: Any) -> Any:
        await database.across_users.run(
            "INSERT INTO messages (conversation_id, id, position, type, item) "
            'VALUES (%(id)s, \'future\', 50, \'hologram\', \'{"id": "future", "type": "hologram"}\')',
            {"id": thread.id},
        )
        async for event in gallery(thread):
            yield event
        page = await store.load_thread_items(thread.id, None, 100, "asc", None)
        seen.extend(page.data)
        with pytest.raises(NotFoundError):
            await store.load_item(thread.id, "future", None)

    await Talk(database, server_of(database, look)).say("gallery")
    assert len({item.type for item in seen}) == 11
    assert "future" not in {item.id for item in seen}
    kept = await database.across_users.one("SELECT item FROM messages WHERE id = 'future'", {})
    assert kept == {"item": {"id": "future", "type": "hologram"}}


async def test_another_users_rows_are_not_there(database: Database) -> None:
    met: list[str] = []

    async def nothing(store: ConversationStore, thread: Any) -> Any:
        met.append(thread.id)
        return
        yield

    async def look(store: ConversationStore, thread: Any) -> Any:
        theirs = met[0]
        for attempt in (
            store.load_thread(theirs, None),
            store.load_thread_items(theirs, "x", 10, "asc", None),
            store.load_item(theirs, "x", None),
            store.delete_thread(theirs, None),
            store.load_attachment("x", None),
        ):
            with pytest.raises(NotFoundError):
                await attempt
        assert (await store.load_threads(10, None, "desc", None)).data[0].id == current_run().run.conversation_id
        return
        yield

    await Talk(database, server_of(database, nothing), user_id="bob").say("a secret")
    await Talk(database, server_of(database, look), user_id="ann").say("let me see")
    assert await database.across_users.one("SELECT 1 FROM conversations WHERE id = %(id)s", {"id": met[0]})


async def test_what_the_claim_has_brought_answers_one_load_and_then_the_tables_are_asked(database: Database) -> None:
    store = ConversationStore(database)
    run = await queued(database, "hello")
    claim = await Runs(database).claim(run.id, "w")
    thread_id, message_id = run.conversation_id or "", run.request["message_id"]
    await database.across_users.run("UPDATE conversations SET title = 'Renamed'", {})
    await database.across_users.run("UPDATE messages SET id = 'msg_moved'", {})
    with carrying_out(CurrentRun(claim.run, say=lambda _: None, rows=claim.rows)):
        titles = [(await store.load_thread(thread_id, None)).title for _ in range(2)]
        with pytest.raises(NotFoundError):
            await store.load_item("thr_of_another", message_id, None)
        assert (await store.load_item(thread_id, message_id, None)).id == message_id
        with pytest.raises(NotFoundError):
            await store.load_item(thread_id, message_id, None)
    assert titles == [None, "Renamed"]
