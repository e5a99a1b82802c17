"""The stand-in's page, as a person uses it: say something, read, stop, reload."""

from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.house import House, token
from tests.talk import ended, messages

PATIENCE_MS = 60_000


class Chat:
    """One tab."""

    def __init__(self, page: Page, house: House, user: str) -> None:
        self.page, self.house, self.user = page, house, user
        page.set_default_timeout(PATIENCE_MS)

    def open(self, site: str, api: str, thread: str = "", *, attached: bool = True) -> None:
        """Go to the page, at this thread."""
        query = {"api": api, "token": token(self.user), **({} if attached else {"detached": "1"})}
        self.page.goto(f"{site}/stand-in.html?{urlencode(query)}#{thread}")
        self._ready()

    def reload(self) -> None:
        self.page.reload()
        self._ready()

    def _ready(self) -> None:
        self.page.wait_for_function("window.ready === true")

    def say(self, text: str) -> None:
        """Send it; the answer comes by itself."""
        self.page.evaluate("(text) => { chat.sendUserMessage({ text }) }", text)

    def stop(self) -> None:
        self.page.evaluate("chat.stop()")

    def shows(self, text: str) -> None:
        """Wait until the answers contain it."""
        self.page.wait_for_function("(text) => chat.textContent.includes(text)", arg=text)

    def reaches(self, state: str, times: int = 1) -> dict[str, Any]:
        """Wait until the helper has told of this state so many times; the last of them."""
        self.page.wait_for_function(
            "([state, times]) => states.filter((one) => one.state === state).length >= times", arg=[state, times]
        )
        return self.told(state)[-1]

    def told(self, state: str) -> list[dict[str, Any]]:
        """What the helper has told of this state."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "(state) => states.filter((one) => one.state === state).map((one) => ({ ...one, error: one.error?.name }))",
            state,
        )
        return found

    @property
    def run_id(self) -> str:
        """The run that is being followed, or was."""
        return str(self.reaches("streaming")["runId"])

    @property
    def thread_id(self) -> str:
        return str(self.page.evaluate("chat.threadId"))

    @property
    def answers(self) -> list[str]:
        """What is shown of the assistant's messages."""
        shown: list[str] = self.page.evaluate("chat.answers")
        return shown

    @property
    def is_open(self) -> bool:
        """Whether anything shown is still being written."""
        return bool(self.page.evaluate("chat.hasAttribute('data-open')"))

    def stored(self, thread_id: str | None = None) -> list[str]:
        """The assistant's messages as the conversation holds them."""
        with self.house.client(self.user, api=-1) as client:
            found = messages(client, thread_id or self.thread_id)
        return [one["content"] for one in found if one["type"] == "assistant_message"]

    def ended(self, run_id: str) -> str:
        """The run's terminal status, once it has one."""
        with self.house.client(self.user, api=-1) as client:
            return str(ended(client, run_id)["status"])
