"""Every item has an id of its own, the same in every attempt, and a real one is left as it is."""

from collections.abc import AsyncIterator

import pytest
from agents.models.fake_id import FAKE_RESPONSES_ID
from chatkit.types import (
    AssistantMessageItem,
    ProgressUpdateEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetRootUpdated,
)
from chatkit.widgets import Card

from shared.tables import Run
from tests.rows import DAY
from worker.current_run import CurrentRun
from worker.item_ids import ItemIds

pytestmark = pytest.mark.anyio

FAKE = FAKE_RESPONSES_ID


def message(item_id: str) -> AssistantMessageItem:
    return AssistantMessageItem(id=item_id, thread_id="thr_1", created_at=DAY, content=[])


def added(item_id: str) -> ThreadStreamEvent:
    return ThreadItemAddedEvent(item=message(item_id))


def updated(item_id: str) -> ThreadStreamEvent:
    return ThreadItemUpdatedEvent(item_id=item_id, update=WidgetRootUpdated(widget=Card(children=[])))


def done(item_id: str) -> ThreadStreamEvent:
    return ThreadItemDoneEvent(item=message(item_id))


def removed(item_id: str) -> ThreadStreamEvent:
    return ThreadItemRemovedEvent(item_id=item_id)


def replaced(item_id: str) -> ThreadStreamEvent:
    return ThreadItemReplacedEvent(item=message(item_id))


def current(**state: set[str]) -> CurrentRun:
    return CurrentRun(Run(id="run_7", user_id="ann", kind="respond"), say=lambda _: None, **state)  # type: ignore[arg-type]


async def own(*events: ThreadStreamEvent, run: CurrentRun | None = None) -> list[ThreadStreamEvent]:
    async def given() -> AsyncIterator[ThreadStreamEvent]:
        for event in events:
            yield event

    return [event async for event in ItemIds(run or current()).own(given())]


async def ids(*events: ThreadStreamEvent, run: CurrentRun | None = None) -> list[str]:
    return [getattr(event, "item_id", None) or event.item.id for event in await own(*events, run=run)]  # type: ignore[union-attr]


async def test_a_models_own_id_is_left_as_it_is() -> None:
    assert await ids(added("msg_abc"), updated("msg_abc"), done("msg_abc")) == ["msg_abc"] * 3


async def test_a_fake_id_becomes_one_of_ours_from_its_beginning_to_its_end() -> None:
    events = (added(FAKE), updated(FAKE), done(FAKE), added(FAKE), updated(FAKE), removed(FAKE))
    assert await ids(*events) == ["msg_7_1"] * 3 + ["msg_7_2"] * 3


async def test_an_id_that_comes_again_after_its_item_was_done_is_another_items() -> None:
    assert await ids(added("a"), done("a"), added("a"), updated("a"), done("a")) == ["a", "a"] + ["msg_7_1"] * 3


async def test_an_item_without_an_id_or_without_a_beginning_has_one() -> None:
    assert await ids(added(""), done("")) == ["msg_7_1", "msg_7_1"]
    assert await ids(done(FAKE), done(FAKE)) == ["msg_7_1", "msg_7_2"]


async def test_the_same_events_have_the_same_ids_in_every_attempt() -> None:
    events = (added(FAKE), done(FAKE), done(FAKE))
    assert await ids(*events) == await ids(*events)


async def test_what_was_retracted_is_never_used_again() -> None:
    assert await ids(added(FAKE), run=current(retracted={"msg_7_1"})) == ["msg_7_2"]
    assert await ids(added("a"), done("a"), run=current(retracted={"a"})) == ["msg_7_1", "msg_7_1"]


async def test_an_item_that_is_replaced_keeps_its_place() -> None:
    assert await ids(added(FAKE), replaced(FAKE)) == ["msg_7_1", "msg_7_1"]
    assert await ids(replaced("of an earlier run")) == ["of an earlier run"]


async def test_an_event_that_is_good_as_it_is_is_the_very_same_object() -> None:
    """Servers go on changing the item that they have sent."""
    events = [added("a"), updated("a"), done("a"), removed("b"), ProgressUpdateEvent(text="x")]
    assert all(one is other for one, other in zip(await own(*events), events, strict=True))
