"""Admission: all of a request or nothing, once for each key, one at a time in each conversation."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from chatkit.types import InferenceOptions, UserMessageInput, UserMessageTextContent
from redis.asyncio import Redis

from api.admission import Admission
from api.cancel import Cancel
from api.gate import Gate
from api.prelude import Prelude, Refused, first_message, next_message
from api.rates import Rates
from api.submission import Submission
from shared.database import Connection, Database
from shared.errors import BudgetSpent, ConversationBusy, ConversationLocked, IdempotencyMismatch, NotFound
from shared.event_log import EventLog
from shared.fold import Fold
from shared.identity import Principal
from shared.messages import Writer
from shared.queue import QUEUE, Queue
from shared.records import Record
from shared.runs import RunKind, Runs, RunStatus
from shared.settings import BusyPolicy
from shared.tables import Run
from tests.rows import row_of, stored

pytestmark = pytest.mark.anyio

Admit = Callable[..., Awaitable[Run]]


@pytest.fixture
def rates(redis: Redis) -> Rates:
    return Rates(redis, submits=1000, requests=1000)


@pytest.fixture
def admission_of(
    database: Database, event_log: EventLog, queue: Queue, rates: Rates
) -> Callable[[BusyPolicy], Admission]:
    def build(policy: BusyPolicy) -> Admission:
        gate = Gate(database, max_queued=1000, max_active=1000)
        cancel = Cancel(database, event_log, queue)
        return Admission(
            database, event_log, queue, cancel, gate, rates, deadline=60, at_once=10, tail=60, busy_policy=policy
        )

    return build


@pytest.fixture
def admission(admission_of: Callable[[BusyPolicy], Admission]) -> Admission:
    return admission_of("auto")


def said(text: str) -> UserMessageInput:
    content = [UserMessageTextContent(text=text)]
    return UserMessageInput(content=content, attachments=[], inference_options=InferenceOptions())


def by(user: str = "ann", body: bytes = b"{}", **how: Any) -> Submission:
    return Submission(Principal(user), body, **how)


async def count(database: Database, table: str) -> int:
    row = await database.across_users.one(f"SELECT count(*) AS n FROM {table}", {})
    assert row is not None
    return int(row["n"])


async def end(database: Database, run: Run) -> None:
    runs = Runs(database)
    await runs.finish((await runs.claim(run.id, "w")).run, RunStatus.COMPLETED)


async def test_a_first_message_is_stored_shown_and_rung_for(
    admission: Admission, database: Database, event_log: EventLog, redis: Redis
) -> None:
    run = await admission.admit(by(locale="de", metadata={"page": 1}), first_message(said("hello")))
    assert (run.status, run.attempt, run.kind) == ("queued", 0, "respond")
    [message] = await stored(database, run)
    assert (message["content"], message["attempt"], message["run_id"]) == ("hello", 0, run.id)
    fold = Fold()
    async for record in event_log.records(run.id):
        fold.apply(record)
    assert [item["id"] for item in fold.done()] == [message["id"]]
    assert await redis.zcard(QUEUE) == 1
    kept = {name: run.request[name] for name in ("subject", "locale", "metadata", "message_id", "resumable")}
    assert kept == {
        "subject": "ann",
        "locale": "de",
        "metadata": {"page": 1},
        "message_id": message["id"],
        "resumable": False,
    }


async def test_what_a_prelude_refuses_leaves_nothing_behind(
    admission: Admission, database: Database, redis: Redis
) -> None:
    prelude = first_message(said("hello"))

    async def store_and_refuse(connection: Connection, writer: Writer) -> list[Record]:
        await prelude.apply(connection, writer)
        raise Refused("No.")

    with pytest.raises(Refused):
        await admission.admit(by(idempotency_key="k"), replace(prelude, apply=store_and_refuse))
    for table in ("conversations", "messages", "runs", "idempotency_keys"):
        assert await count(database, table) == 0
    assert await redis.zcard(QUEUE) == 0


async def test_the_same_key_and_body_are_the_same_run_however_often_and_at_once(
    admission: Admission, database: Database, redis: Redis
) -> None:
    async def submit() -> Run:
        return await admission.admit(by(idempotency_key="k"), first_message(said("hello")))

    runs = await asyncio.gather(*(submit() for _ in range(5)))
    assert len({run.id for run in runs}) == 1
    assert [await count(database, table) for table in ("conversations", "messages", "runs")] == [1, 1, 1]
    assert await redis.zcard(QUEUE) == 1


async def test_the_same_key_with_another_body_is_refused(admission: Admission, database: Database) -> None:
    await admission.admit(by(idempotency_key="k", body=b"one"), first_message(said("one")))
    with pytest.raises(IdempotencyMismatch):
        await admission.admit(by(idempotency_key="k", body=b"two"), first_message(said("two")))
    assert await count(database, "runs") == 1


async def test_a_key_is_its_users_own_and_good_for_a_day(admission: Admission, database: Database) -> None:
    first = await admission.admit(by(idempotency_key="k"), first_message(said("hello")))
    other = await admission.admit(by("bob", idempotency_key="k"), first_message(said("hello")))
    await database.across_users.run("UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '25 h'", {})
    later = await admission.admit(by(idempotency_key="k", body=b"new"), first_message(said("hello")))
    assert len({first.id, other.id, later.id}) == 3


async def test_a_client_with_the_helper_is_refused_while_an_answer_runs(
    admission: Admission, database: Database
) -> None:
    run = await admission.admit(by(), first_message(said("first")))
    with pytest.raises(ConversationBusy) as busy:
        await admission.admit(by(resumable=True), next_message(run.conversation_id or "", said("second")))
    assert busy.value.run_id == run.id
    assert len(await stored(database, run)) == 1


async def test_a_client_without_it_ends_the_answer_before_its_own(admission: Admission, database: Database) -> None:
    run = await admission.admit(by(), first_message(said("first")))
    second = await admission.admit(by(), next_message(run.conversation_id or "", said("second")))
    assert (await row_of(database, run))["status"] == "cancelled"
    assert (await row_of(database, second))["status"] == "queued"


@pytest.mark.parametrize(
    ("policy", "resumable", "ended"), [("reject", False, "queued"), ("interrupt", True, "cancelled")]
)
async def test_a_setting_fixes_either(
    admission_of: Callable[[BusyPolicy], Admission],
    database: Database,
    policy: BusyPolicy,
    resumable: bool,
    ended: str,
) -> None:
    admission = admission_of(policy)
    run = await admission.admit(by(), first_message(said("first")))
    second = admission.admit(by(resumable=resumable), next_message(run.conversation_id or "", said("second")))
    if policy == "reject":
        with pytest.raises(ConversationBusy):
            await second
    else:
        await second
    assert (await row_of(database, run))["status"] == ended


async def test_an_answer_that_is_just_ending_is_waited_for(admission: Admission, database: Database) -> None:
    run = await admission.admit(by(), first_message(said("first")))
    patient = Prelude(run.conversation_id, RunKind.ACTION, patience=30)
    waiting = asyncio.create_task(admission.admit(by(resumable=True), patient))
    await asyncio.sleep(0)
    await end(database, run)
    assert (await waiting).kind == "action"
    assert (await row_of(database, run))["cancel_requested_at"] is None


async def test_a_conversation_that_is_anothers_or_locked_takes_no_message(
    admission: Admission, database: Database
) -> None:
    run = await admission.admit(by(), first_message(said("first")))
    await end(database, run)
    conversation_id = run.conversation_id or ""
    for unknown in (by("bob"), by("bob", idempotency_key="k")):
        with pytest.raises(NotFound):
            await admission.admit(unknown, next_message(conversation_id, said("mine")))
    await database.across_users.run("""UPDATE conversations SET status = '{"type": "locked"}'""", {})
    with pytest.raises(ConversationLocked):
        await admission.admit(by(), next_message(conversation_id, said("more")))
    assert (await admission.admit(by(), Prelude(conversation_id, RunKind.ACTION))).status == "queued"


async def test_a_message_is_admitted_though_redis_is_away(
    database: Database, event_log: EventLog, rates: Rates
) -> None:
    class Away(Queue):
        async def enqueue(self, run_id: str) -> None:
            raise OSError

    queue = Away(None)  # type: ignore[arg-type]
    gate = Gate(database, max_queued=10, max_active=10)
    cancel = Cancel(database, event_log, queue)
    admission = Admission(
        database, event_log, queue, cancel, gate, rates, deadline=60, at_once=10, tail=60, busy_policy="auto"
    )
    run = await admission.admit(by(), first_message(said("hello")))
    assert [row["content"] for row in await stored(database, run)] == ["hello"]


async def test_when_the_days_tokens_are_spent_nothing_is_stored_and_what_spends_none_is_admitted(
    database: Database, event_log: EventLog, queue: Queue, rates: Rates
) -> None:
    gate = Gate(database, max_queued=10, max_active=10, max_tokens_per_day=100)
    cancel = Cancel(database, event_log, queue)
    admission = Admission(
        database, event_log, queue, cancel, gate, rates, deadline=60, at_once=10, tail=60, busy_policy="auto"
    )
    before = await admission.admit(by(idempotency_key="k"), first_message(said("hello")))
    await database.of("ann").run("INSERT INTO daily_tokens VALUES ('ann', (now() AT TIME ZONE 'UTC')::date, 100)", {})
    with pytest.raises(BudgetSpent):
        await admission.admit(by(idempotency_key="other"), first_message(said("one more")))
    assert [await count(database, table) for table in ("conversations", "messages", "runs")] == [1, 1, 1]
    assert (await admission.admit(by(idempotency_key="k"), first_message(said("hello")))).id == before.id
    assert (await admission.admit(by(), Prelude(None, RunKind.CALL))).status == "queued"
