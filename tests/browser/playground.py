"""The playground, as a person uses it."""

from playwright.sync_api import Locator, Page, expect

from tests.house import House
from tests.talk import ended, messages

PATIENCE_MS = 60_000


class Playground:
    """One tab of it. Nothing may break its Content-Security-Policy, and no script of it may fail."""

    def __init__(self, page: Page, house: House, url: str) -> None:
        self.page, self.house, self.url, self.user = page, house, url, ""
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._listen(message.type, message.text))

    def _listen(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.complaints.append(text)

    def enter(self, user: str, thread: str = "") -> "Playground":
        """Sign in by name, at this conversation."""
        self.user = user
        self.page.goto(f"{self.url}/#/c/{thread}" if thread else self.url)
        if self.page.get_by_label("Your name").or_(self.box).first.get_attribute("id") != "composer":
            self.page.get_by_label("Your name").fill(user)
            self.page.keyboard.press("Enter")
        self.box.wait_for()
        return self

    @property
    def box(self) -> Locator:
        return self.page.get_by_label("Message", exact=True)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def note(self, text: str) -> Locator:
        """A note below the messages that says so."""
        return self.page.locator(".note", has_text=text).first

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def shows(self, text: str) -> None:
        """Wait until an answer contains it."""
        self.page.locator("article.assistant", has_text=text).first.wait_for()

    def is_quiet(self) -> None:
        """Wait until nothing is being answered."""
        self.button("Send").wait_for()

    @property
    def answers(self) -> list[str]:
        """The words of the answers, white space aside."""
        shown: list[str] = self.page.locator("article.assistant .prose").all_inner_texts()
        return [" ".join(text.split()) for text in shown]

    @property
    def thread_id(self) -> str:
        """The conversation in the address."""
        self.page.wait_for_url("**/#/c/*")
        return self.page.url.rpartition("/")[2]

    @property
    def stored(self) -> list[str]:
        """The answers as the conversation holds them."""
        with self.house.client(self.user, api=-1) as client:
            found = messages(client, self.thread_id)
        return [" ".join(one["content"].split()) for one in found if one["type"] == "assistant_message"]

    def status(self) -> str:
        """How the conversation's last run has ended."""
        with self.house.client(self.user, api=-1) as client:
            run = client.get(f"/api/conversations/{self.thread_id}").json()["last_run"]
            return str(ended(client, run["id"])["status"])

    def tasks_show(self, *titles: str) -> None:
        expect(self.page.locator(".tasks .task")).to_have_text(list(titles))
