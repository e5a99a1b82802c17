"""Threads and items, whatever answers."""

from tests.contract.client import Client
from tests.contract.walk import Backend, walk


@walk("threads.create streams the thread, the message and an answer")
def create(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    types = answer.types
    assert types[0] == "thread.created", types
    done = [event["item"]["type"] for event in answer.of("thread.item.done")]
    assert done[0] == "user_message", done
    assert "assistant_message" in done, done
    assert types.index("stream_options") < types.index("thread.item.added"), types


@walk("text deltas add up to the finished text")
def deltas(backend: Backend) -> None:
    answer = backend.client.begin("hello there, how are you")
    told = "".join(event["update"].get("delta", "") for event in answer.of("thread.item.updated"))
    assert told, "no deltas"
    assert told == answer.text


@walk("what was streamed is what is listed")
def listed(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    assert backend.client.items(answer.thread_id) == answer.shown


@walk("threads.get_by_id gives the thread with its items")
def get(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    thread = backend.client.ask("threads.get_by_id", thread_id=answer.thread_id)
    assert thread["items"]["data"] == answer.shown
    assert thread["status"] == {"type": "active"}


@walk("threads.add_user_message goes on in the thread")
def go_on(backend: Backend) -> None:
    first = backend.client.begin("one")
    second = backend.client.say(first.thread_id, "two")
    assert "thread.created" not in second.types
    assert "two" in second.text or second.text
    assert backend.client.items(first.thread_id) == first.shown + second.shown


@walk("a message keeps its quoted text, its tags and its options")
def message_parts(backend: Backend) -> None:
    tag = {"type": "input_tag", "id": "t1", "text": "milk", "data": {"a": [1]}, "group": "g", "interactive": True}
    content = [{"type": "input_text", "text": "what of "}, tag]
    answer = backend.client.begin("", content=content, quoted_text="quoted", inference_options={})
    kept = answer.items("user_message")[0]
    assert kept["content"] == content
    assert kept["quoted_text"] == "quoted"
    assert kept["inference_options"] == {}
    assert backend.client.items(answer.thread_id)[0] == kept


@walk("threads.list pages both ways, each thread once")
def pages_of_threads(backend: Backend) -> None:
    made = [backend.client.begin(f"thread {n}").thread_id for n in range(3)]
    newest = _all_threads(backend.client, "desc")
    oldest = _all_threads(backend.client, "asc")
    assert newest == oldest[::-1]
    assert len(set(newest)) == len(newest)
    assert newest[:3] == made[::-1]


@walk("items.list pages both ways, each item once")
def pages_of_items(backend: Backend) -> None:
    thread_id = backend.client.begin("one").thread_id
    backend.client.say(thread_id, "two")
    forwards, backwards = (_all_items(backend.client, thread_id, order) for order in ("asc", "desc"))
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == len(forwards) >= 4


@walk("threads.update renames the thread")
def rename(backend: Backend) -> None:
    thread_id = backend.client.begin("hello").thread_id
    assert backend.client.ask("threads.update", thread_id=thread_id, title="Käse ✓")["title"] == "Käse ✓"
    assert backend.client.ask("threads.get_by_id", thread_id=thread_id)["title"] == "Käse ✓"


@walk("threads.delete takes the thread away")
def delete(backend: Backend) -> None:
    thread_id = backend.client.begin("hello").thread_id
    backend.client.ask("threads.delete", thread_id=thread_id)
    assert thread_id not in _all_threads(backend.client, "desc")
    assert backend.client.post("threads.get_by_id", thread_id=thread_id).status_code >= 400


@walk("threads.retry_after_item answers the message anew and forgets what followed it")
def retry(backend: Backend) -> None:
    first = backend.client.begin("one")
    backend.client.say(first.thread_id, "two")
    question = first.items("user_message")[0]
    again = backend.client.stream("threads.retry_after_item", thread_id=first.thread_id, item_id=question["id"])
    assert "thread.created" not in again.types
    items = backend.client.items(first.thread_id)
    assert items[0] == question
    assert [item["type"] for item in items].count("user_message") == 1
    new = [item for item in again.shown if item["id"] != question["id"]]
    assert items[1:] == new
    assert not {item["id"] for item in first.shown[1:]} & {item["id"] for item in new}


@walk("items.feedback is taken")
def feedback(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    item_ids = [item["id"] for item in answer.items("assistant_message")]
    backend.client.ask("items.feedback", thread_id=answer.thread_id, item_ids=item_ids, kind="positive")


def _all_threads(client: Client, order: str) -> list[str]:
    return _pages(client, "threads.list", order=order, limit=2)


def _all_items(client: Client, thread_id: str, order: str) -> list[str]:
    return _pages(client, "items.list", thread_id=thread_id, order=order, limit=1)


def _pages(client: Client, request_type: str, **params: object) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = client.ask(request_type, after=after, **params)
        found += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            return found
        after = page["after"]
