"""Who leaves comes back to the same answer; who stops it has stopped it; the two are never taken for one another."""

from tests.browser.conftest import ChatIn, Town
from tests.model_endpoint import Call, Endpoint, Text

WORDS = [f"word{n}" for n in range(120)]
LONG = " ".join(WORDS)


def test_a_reload_in_mid_answer_shows_the_same_text_and_no_word_twice(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("reload")
    chat.say("go")
    chat.shows("word59")
    chat.reload()
    chat.shows("word59")
    assert chat.is_open
    model.release()
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()


def test_a_reload_between_a_tool_and_its_answer_shows_each_item_once(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Call("add_task", {"title": "milk"}), Text(LONG).waits_at(60))
    chat = chat_in("reload with tool")
    chat.say("go")
    chat.shows("word59")
    chat.reload()
    chat.shows("word59")
    model.release()
    chat.reaches("ended")
    kinds = chat.page.evaluate("[...chat.items.values()].map(({ item }) => item.type)")
    assert kinds == ["user_message", "workflow", "assistant_message"]


def test_an_answer_that_ends_while_the_page_loads_is_not_missed(chat_in: ChatIn, town: Town, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    first = chat_in("ends meanwhile")
    first.say("go")
    first.shows("word59")
    second = chat_in("ends meanwhile")
    # The thread is loaded while the answer runs, and attached to once it has ended.
    second.page.evaluate(
        """(thread) => {
            const held = new Promise((go) => { window.let_go = go; });
            const send = chat.sendCustomAction.bind(chat);
            chat.sendCustomAction = async (action) => { window.attaching = true; await held; return send(action); };
            chat.setThreadId(thread);
        }""",
        first.thread_id,
    )
    second.page.wait_for_function("window.attaching === true")
    model.release()
    first.reaches("ended")
    second.page.evaluate("let_go()")
    second.reaches("ended")
    assert second.answers == [LONG]


def test_two_tabs_show_the_same(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(40, 80))
    first = chat_in("two tabs")
    first.say("go")
    first.shows("word39")
    second = chat_in("two tabs", first.thread_id)
    second.shows("word39")
    model.release()
    for tab in (first, second):
        tab.shows("word79")
    model.release()
    for tab in (first, second):
        tab.reaches("ended")
    assert first.answers == second.answers == [LONG] == first.stored()


def test_stop_ends_the_model_call_and_is_still_stopped_after_a_reload(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("stop")
    chat.say("go")
    chat.shows("word59")
    run_id = chat.run_id
    chat.stop()
    chat.reaches("stopped")
    model.wait(lambda: model.requests[0].closed and model.requests[0])
    assert chat.ended(run_id) == "cancelled"
    chat.reload()
    chat.shows("word59")
    assert not chat.is_open
    assert chat.answers == [" ".join(WORDS[:60]) + " "] == chat.stored()
    with town.house.client("stop") as client:
        assert client.get(f"/api/conversations/{chat.thread_id}").json()["last_run"]["status"] == "cancelled"


def test_stop_before_the_headers_have_come_waits_for_them(chat_in: ChatIn, town: Town, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("early stop")
    town.line.freeze()
    chat.say("go")
    chat.stop()
    town.line.thaw()
    chat.reaches("stopped")
    [(run_id,)] = town.house.sql("SELECT id FROM runs WHERE user_id = 'early stop'")
    assert chat.ended(str(run_id)) == "cancelled"


def test_stop_without_a_network_arrives_when_it_is_back(chat_in: ChatIn, town: Town, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("offline stop")
    chat.say("go")
    chat.shows("word59")
    run_id = chat.run_id
    town.line.refuse()
    chat.stop()
    chat.reaches("stopped")
    town.line.accept()
    assert chat.ended(run_id) == "cancelled"


def test_leaving_the_page_is_not_a_stop(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("leaving")
    chat.say("go")
    chat.shows("word59")
    run_id, thread_id = chat.run_id, chat.thread_id
    # As the component may do: it aborts what is in flight because the page goes.
    chat.page.evaluate("addEventListener('pagehide', () => chat.stop())")
    chat.page.goto("about:blank")
    model.release()
    assert chat.ended(run_id) == "completed"
    assert chat.stored(thread_id) == [LONG]
    chat.page.close()


def test_a_closed_tab_is_not_a_stop(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("closing")
    chat.say("go")
    chat.shows("word59")
    run_id, thread_id = chat.run_id, chat.thread_id
    chat.page.close()
    model.release()
    assert chat.ended(run_id) == "completed"
    assert chat.stored(thread_id) == [LONG]


def test_going_to_another_thread_is_not_a_stop(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("switching")
    chat.say("go")
    chat.shows("word59")
    run_id, thread_id = chat.run_id, chat.thread_id
    chat.page.evaluate("chat.setThreadId(null)")
    chat.reaches("left")
    chat.page.evaluate("(thread) => chat.setThreadId(thread)", thread_id)
    chat.shows("word59")
    model.release()
    chat.reaches("ended")
    assert chat.ended(run_id) == "completed"
    assert chat.answers == [LONG] == chat.stored()


def test_a_page_that_takes_its_component_away_does_not_stop_the_answer(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("unmounting")
    chat.say("go")
    chat.shows("word59")
    run_id = chat.run_id
    chat.page.evaluate("chat.stop(); chat.remove(); detach()")
    chat.reaches("left")
    model.release()
    assert chat.ended(run_id) == "completed"


def test_with_no_answer_running_an_attach_ends_at_once(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text("short"))
    chat = chat_in("nothing to attach")
    chat.say("go")
    chat.reaches("ended")
    chat.page.evaluate("chat.sendCustomAction({ type: 'run.attach' })")
    assert chat.reaches("ended", 2)["status"] == "none"
    assert chat.answers == ["short"]


def test_a_worker_killed_in_mid_answer_the_half_text_goes_and_the_whole_comes(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text("half of an answer " * 20).waits_at(40), Text(LONG))
    chat = chat_in("killed worker")
    chat.say("go")
    chat.shows("half of an answer")
    run_id = chat.run_id
    town.house.workers[town.owner_of(run_id)].kill()
    town.house.start_worker()
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()


def test_a_reload_after_the_worker_was_killed_shows_the_whole_answer_once(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text("half of an answer " * 20).waits_at(40), Text(LONG).waits_at(60))
    chat = chat_in("killed and reloaded")
    chat.say("go")
    chat.shows("half of an answer")
    town.house.workers[town.owner_of(chat.run_id)].kill()
    town.house.start_worker()
    chat.shows("word59")
    chat.reload()
    chat.shows("word59")
    assert "half" not in " ".join(chat.answers)
    model.release()
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()
