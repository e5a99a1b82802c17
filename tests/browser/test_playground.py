"""The playground: what a newcomer sees first, and does with it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Town
from tests.browser.playground import Playground
from tests.model_endpoint import Call, Endpoint, Text

WORDS = [f"word{n}" for n in range(120)]
LONG = " ".join(WORDS)

Enter = Callable[..., Playground]


@pytest.fixture
def enter(context: BrowserContext, town: Town, model: Endpoint) -> Iterator[Enter]:
    """Opens the playground and signs in: `enter("ann", thread)`. At the end no page may have complained."""
    opened: list[Playground] = []

    def open_playground(user: str, thread: str = "", *, url: str = town.url) -> Playground:
        opened.append(Playground(context.new_page(), town.house, url))
        return opened[-1].enter(user, thread)

    yield open_playground
    assert [complaint for one in opened for complaint in one.complaints] == []


def test_a_message_is_answered_and_its_tool_call_opens(enter: Enter, model: Endpoint) -> None:
    model.replies(Call("add_task", {"title": "buy milk"}), Text("It is on your list."))
    page = enter("tools")
    page.say("add buy milk")
    page.shows("It is on your list.")
    page.tasks_show("buy milk")
    step = page.page.locator("details.step")
    step.locator("summary").click()
    expect(step).to_contain_text("Called add_task with")
    expect(step.locator("pre").first).to_contain_text('"title": "buy milk"')
    expect(step.locator("pre").last).to_contain_text('"completed": false')
    page.page.reload()
    step.locator("summary").click()
    expect(step.locator("pre").last).to_contain_text('"completed": false')


def test_a_tool_call_opens_while_its_answer_is_still_being_written(enter: Enter, model: Endpoint) -> None:
    model.replies(Call("add_task", {"title": "bread"}), Text(LONG).waits_at(60))
    page = enter("live tools")
    page.say("add bread")
    page.shows("word59")
    page.page.locator("details.step summary").click()
    expect(page.page.locator("details.step pre").first).to_contain_text('"title": "bread"')
    model.release()
    page.shows("word119")


def test_a_cut_line_is_taken_up_and_said_so(enter: Enter, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    page = enter("cutting")
    page.say("go")
    page.shows("word59")
    page.button("For developers").click()
    page.button("Cut the line").click()
    page.note("Re-attached: nothing was lost").wait_for()
    model.release()
    page.is_quiet()
    assert page.answers == [LONG] == page.stored
    ids = page.page.locator(".drawer .id").all_inner_texts()
    numbers = [int(one.partition(".")[2]) for one in ids if "." in one]
    assert numbers == sorted(set(numbers))


def test_a_reload_in_mid_answer_takes_it_up(enter: Enter, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    page = enter("reloading")
    page.say("go")
    page.shows("word59")
    page.page.reload()
    page.note("Re-attached to a running answer").wait_for()
    page.shows("word59")
    model.release()
    page.is_quiet()
    assert page.answers == [LONG] == page.stored


def test_two_tabs_follow_the_same_answer(enter: Enter, model: Endpoint) -> None:
    model.replies(Text("first"), Text(LONG).waits_at(60))
    one = enter("tabs")
    one.say("hello")
    one.shows("first")
    one.is_quiet()
    other = enter("tabs", one.thread_id)
    other.shows("first")
    one.say("go")
    for tab in (one, other):
        tab.shows("word59")
    model.release()
    for tab in (one, other):
        tab.is_quiet()
    assert one.answers == other.answers == ["first", LONG] == one.stored


def test_stop_keeps_what_was_said_and_shows_as_stopped_after_a_reload(enter: Enter, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    page = enter("stopping")
    page.say("go")
    page.shows("word59")
    page.button("Stop").click()
    page.note("Stopped").wait_for()
    page.is_quiet()
    assert page.answers == [" ".join(WORDS[:60])] == page.stored
    assert page.status() == "cancelled"
    page.page.reload()
    page.note("Stopped").wait_for()
    assert page.answers == [" ".join(WORDS[:60])]


def test_escape_stops(enter: Enter, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    page = enter("escaping")
    page.say("go")
    page.shows("word59")
    page.box.press("Escape")
    page.note("Stopped").wait_for()
    assert page.status() == "cancelled"


def test_opening_another_conversation_does_not_stop_the_answer(enter: Enter, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    page = enter("browsing")
    page.say("go")
    page.shows("word59")
    thread_id = page.thread_id
    page.button("New conversation").click()
    page.page.get_by_role("heading", name="What would you like to do?").wait_for()
    page.page.locator(f".conversation[data-id={thread_id}] a").click()
    page.shows("word59")
    model.release()
    page.is_quiet()
    assert page.answers == [LONG] == page.stored
    assert page.status() == "completed"


def test_an_answer_can_be_asked_for_again(enter: Enter, model: Endpoint) -> None:
    model.replies(Text("once"), Text("twice"))
    page = enter("retrying")
    page.say("go")
    page.shows("once")
    page.button("Answer again").click()
    page.shows("twice")
    page.is_quiet()
    assert page.answers == ["twice"] == page.stored


def test_a_failed_answer_offers_another_try(enter: Enter, model: Endpoint) -> None:
    model.replies(Text(LONG).ends_at(30), Text("whole"))
    page = enter("failing")
    page.say("go")
    page.button("Try again").wait_for()
    page.page.reload()
    page.button("Try again").click()
    page.shows("whole")
    page.is_quiet()
    assert page.answers == ["whole"] == page.stored


def test_feedback_is_kept(enter: Enter, town: Town, model: Endpoint) -> None:
    model.replies(Text("what do you think?"))
    page = enter("rating")
    page.say("go")
    page.shows("what do you think?")
    page.button("A good answer").click()
    expect(page.button("A good answer")).to_have_attribute("aria-pressed", "true")
    assert town.house.sql("SELECT kind FROM feedback WHERE user_id = 'rating'") == [("positive",)]


def test_conversations_are_found_renamed_and_deleted(enter: Enter, model: Endpoint) -> None:
    page = enter("sorting")
    for text in ("about apples", "about pears"):
        page.button("New conversation").click()
        page.say(text)
        page.shows("Hello from the test model.")
        page.is_quiet()
    row = page.page.locator(".conversation")
    expect(row).to_have_text(["about pears", "about apples"])
    page.page.keyboard.press("Control+k")
    page.page.keyboard.type("apple")
    expect(row).to_have_text(["about apples"])
    row.first.hover()
    page.button("Rename “about apples”").click()
    page.page.get_by_label("Title").fill("about plums")
    page.button("Save").click()
    page.page.get_by_label("Search conversations").fill("")
    expect(row).to_have_text(["about pears", "about plums"])
    row.first.hover()
    page.button("Delete “about pears”").click()
    page.button("Delete").click()
    expect(row).to_have_text(["about plums"])
    page.page.get_by_role("heading", name="What would you like to do?").wait_for()


def test_what_the_server_refuses_comes_back_into_the_box(enter: Enter, model: Endpoint) -> None:
    page = enter("refused")
    text = "x" * 100_001
    page.say(text)
    page.note("A message has at most 100000 characters.").wait_for()
    page.is_quiet()
    expect(page.box).to_have_value(text)


def test_a_user_who_says_too_much_in_a_minute_is_told_so_at_once(enter: Enter, town: Town, model: Endpoint) -> None:
    with town.other_api(MAX_SUBMITS_PER_MINUTE="1") as url:
        page = enter("in a hurry", url=url)
        page.say("go")
        page.shows("Hello from the test model.")
        page.is_quiet()
        page.say("go on")
        page.note("Too many messages within a minute.").wait_for()
        page.is_quiet()
        expect(page.box).to_have_value("go on")


def test_a_message_asks_for_the_model_that_was_picked(enter: Enter, town: Town, model: Endpoint) -> None:
    with town.other_api(MODELS="gpt-other") as url:
        page = enter("picking", url=url)
        page.page.get_by_label("Model").select_option("gpt-other")
        page.say("go")
        page.shows("Hello from the test model.")
        page.is_quiet()
    with town.house.client("picking", api=-1) as client:
        body = {"type": "items.list", "params": {"thread_id": page.thread_id, "order": "asc"}}
        item = client.post("/chatkit", json=body).json()["data"][0]
    assert item["inference_options"]["model"] == "gpt-other"


def test_a_file_goes_with_the_message(enter: Enter, town: Town, model: Endpoint) -> None:
    page = enter("attaching", url=town.house.url)
    page.page.locator("input[type=file]").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"milk, bread"}
    )
    expect(page.page.locator(".box .file")).to_have_attribute("aria-busy", "false")
    page.say("read this")
    expect(page.page.locator("article.user .file")).to_contain_text("notes.txt")
    page.shows("Hello from the test model.")


def test_a_waiting_message_says_where_it_stands(enter: Enter, town: Town, model: Endpoint) -> None:
    worker = next(one for one in town.house.workers if one.child and one.child.alive)
    worker.stop()
    try:
        page = enter("waiting")
        page.say("go")
        page.page.locator(".progress", has_text="Waiting for a free worker").wait_for()
    finally:
        town.house.start_worker()
    page.shows("Hello from the test model.")


def test_the_answer_of_a_model_is_never_markup(enter: Enter, model: Endpoint) -> None:
    model.replies(Text("<img src=x onerror=alert(1)> [click](javascript:alert(1)) **bold**"))
    page = enter("hostile")
    page.say("go")
    page.shows("bold")
    prose = page.page.locator("article.assistant .prose")
    assert prose.locator("img, a").count() == 0
    assert prose.locator("strong").inner_text() == "bold"
    assert "<img src=x onerror=alert(1)>" in prose.inner_text()


def test_on_a_phone_the_conversations_open_over_the_page(enter: Enter, model: Endpoint) -> None:
    page = enter("phone")
    page.page.set_viewport_size({"width": 390, "height": 780})
    sidebar = page.page.get_by_role("complementary", name="Conversations")
    expect(sidebar).to_be_hidden()
    page.button("Conversations").click()
    expect(sidebar).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(sidebar).to_be_hidden()
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
