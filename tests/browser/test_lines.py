"""The helper under the component: whatever happens to the line, the answer is shown whole, and each word once."""

import random
import time
from collections.abc import Callable

from api.auth import LEEWAY_SECONDS
from tests.browser.conftest import BUDGET, ChatIn, Town
from tests.faults.proxy import Cut
from tests.house import token
from tests.model_endpoint import Endpoint, Text

WORDS = [f"word{n}" for n in range(120)]
LONG = " ".join(WORDS)


def test_an_answer_goes_on_when_its_api_is_killed_and_another_takes_over(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("killed api")
    chat.say("go")
    chat.shows("word59")
    town.kill_api()
    model.release()
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()
    assert chat.told("reattached")


def test_an_answer_goes_on_after_the_network_was_away(chat_in: ChatIn, town: Town, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("offline")
    chat.say("go")
    chat.shows("word59")
    chat.page.context.set_offline(True)
    town.line.reset()
    chat.reaches("reconnecting", 2)
    model.release()
    assert chat.ended(chat.run_id) == "completed"
    assert "word119" not in chat.answers[0]
    chat.page.context.set_offline(False)
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()


def test_a_request_whose_first_byte_never_came_is_one_run_all_the_same(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text(LONG))
    chat = chat_in("no byte")
    town.line.filters = lambda: _swallow
    chat.say("go")
    chat.page.wait_for_function("states.length >= 1")
    model.wait(lambda: model.requests[0])
    town.line.filters = None
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()
    assert town.house.sql("SELECT count(*) FROM runs WHERE user_id = 'no byte'") == [(1,)]


def test_a_line_that_says_nothing_is_dropped_after_35_seconds(chat_in: ChatIn, town: Town, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("silent")
    chat.page.clock.install()
    chat.reload()
    chat.say("go")
    chat.shows("word59")
    town.line.silence()
    model.release()
    assert chat.ended(chat.run_id) == "completed"
    assert not chat.told("reattached")
    chat.page.clock.fast_forward(36_000)
    chat.reaches("ended")
    assert chat.answers == [LONG] == chat.stored()
    assert chat.told("reattached")


def test_a_tab_that_is_shown_again_does_not_trust_a_line_that_was_silent(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("hidden")
    chat.page.clock.install()
    chat.reload()
    chat.say("go")
    chat.shows("word59")
    town.line.silence()
    model.release()
    assert chat.ended(chat.run_id) == "completed"
    chat.page.clock.fast_forward(25_000)
    chat.page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    chat.reaches("ended")
    assert chat.answers == [LONG]


def test_two_hundred_cuts_at_random_points_give_the_same_text_every_time(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    words = " ".join(f"word{n}" for n in range(300))
    chat = chat_in("cut")
    cuts = Cuts(seed=6)
    town.line.filters = cuts.filter
    town.line.reset()
    answers = 0
    while cuts.made < 200:
        answers += 1
        model.replies(Text(words))
        chat.say("go")
        chat.reaches("ended", answers)
        assert chat.answers == [words] * answers
    town.line.filters = None
    assert chat.stored() == [words] * answers


def test_an_answer_that_outlives_its_token_goes_on_with_a_fresh_one(
    chat_in: ChatIn, town: Town, model: Endpoint
) -> None:
    model.replies(Text(LONG).waits_at(60))
    with town.other_api(TOKEN_GRACE=str(LEEWAY_SECONDS)) as api:
        chat = chat_in("short-lived", api=api)
        old = token("short-lived", exp=time.time() - LEEWAY_SECONDS + 5)
        chat.page.evaluate("(tokens) => { window.tokens = tokens }", [old, token("short-lived")])
        chat.say("go")
        chat.shows("word59")
        chat.reaches("reattached")
        assert chat.page.evaluate("asked.slice(-2)") == [False, True]
        model.release()
        chat.reaches("ended")
        assert chat.answers == [LONG] == chat.stored()


def test_it_gives_up_when_the_run_is_gone(chat_in: ChatIn, town: Town, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    chat = chat_in("gone")
    chat.say("go")
    chat.shows("word59")
    thread_id = chat.thread_id
    town.line.refuse()
    with town.house.client("gone", api=-1) as client:
        assert client.delete(f"/api/conversations/{thread_id}").status_code == 200
    town.line.accept()
    assert chat.reaches("gone")["error"] == "RunGone"
    assert chat.page.evaluate("errors") == ["RunGone: This answer can no longer be read. Reload to see what was kept."]


def test_a_refusal_is_shown_to_the_user(chat_in: ChatIn, model: Endpoint) -> None:
    model.replies(Text(LONG).waits_at(60))
    first = chat_in("busy")
    first.say("go")
    first.shows("word59")
    second = chat_in("busy", attached=False)
    second.page.evaluate("(thread) => { chat.threadId = thread }", first.thread_id)
    second.say("me too")
    second.reaches("ended")
    assert second.page.evaluate("chat.notices") == ["This conversation is already answering."]
    model.release()
    first.reaches("ended")


def test_a_refusal_for_the_rest_of_the_day_is_shown_at_once(chat_in: ChatIn, town: Town) -> None:
    spent = "INSERT INTO daily_tokens VALUES ('spent', (now() AT TIME ZONE 'UTC')::date, %s)"
    town.house.sql(spent, BUDGET)
    chat = chat_in("spent", attached=False)
    chat.say("one more")
    chat.reaches("ended")
    assert chat.page.evaluate("chat.notices") == ["Your budget for today is used up."]
    assert not chat.told("reconnecting")
    assert town.house.sql("SELECT count(*) FROM conversations WHERE user_id = 'spent'") == [(0,)]


class Cuts:
    """Cuts each connection after a random number of bytes, in the middle of a frame or between two."""

    def __init__(self, seed: int) -> None:
        self._random, self.made = random.Random(seed), 0

    def filter(self) -> Callable[[bytes], bytes]:
        """For one connection: passes so many bytes, then breaks it."""
        left = 800 + int(self._random.expovariate(1 / 1_500))

        def cut(data: bytes) -> bytes:
            nonlocal left
            left -= len(data)
            if left < 0:
                self.made += 1
                raise Cut(data[:left])
            return data

        return cut


def _swallow(data: bytes) -> bytes:
    """The answer's bytes never arrive."""
    if b"text/event-stream" in data:
        raise Cut(b"")
    return data
