"""Each state of the playground: no serious complaint of axe's, and, when asked for, its picture for the documents.

`make screenshots` sets SCREENSHOTS to the directory that the pictures go to.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Town
from tests.browser.playground import Playground
from tests.model_endpoint import Call, Calls, Endpoint, Reply, Text

STORY = """\
The lighthouse at Varn had not been lit for thirty years when Ilse moved in with two suitcases, a kettle and a cat
named Tuesday.

The village told her the lamp was broken. The baker said the glass had cracked in a storm. The postman said the
clockwork had rusted solid. The oldest fisherman only shook his head and said that the light had grown tired of being
looked at by people who never waved back.

Ilse was a mender of clocks, so on the first evening she climbed the ninety-one steps with a lantern and a small brass
screwdriver. The glass was whole. The clockwork was clean.""".replace("\n", " ").replace("  ", "\n\n")

GUIDE = """\
Here is a small plan for the weekend:

1. **Saturday**: bake the bread, call Ada
2. **Sunday**: *nothing at all*

| what | when | how long |
| --- | --- | --- |
| knead the dough | 9:00 | 15 min |
| let it rest | 9:15 | 2 h |

```python
def rise(dough, hours=2):
    return dough * hours
```

> Bread is patient, and so is a queue."""

State = Callable[[Playground, Endpoint], None]


def sign_in(page: Playground, model: Endpoint) -> None:
    page.page.evaluate("localStorage.clear()")
    page.page.goto("about:blank")
    page.page.goto(page.url)
    page.page.get_by_label("Your name").wait_for()


def welcome(page: Playground, model: Endpoint) -> None:
    page.page.get_by_role("heading", name="What would you like to do?").wait_for()


def tool_call(page: Playground, model: Endpoint) -> None:
    titles = [{"title": "buy milk"}, {"title": "call Ada"}]
    model.replies(Calls(*(Call("add_task", title) for title in titles)), Text("Both are on your list now."))
    page.say("add buy milk and call Ada")
    page.shows("Both are on your list now.")
    page.is_quiet()
    page.page.locator("details.step summary").first.click()
    expect(page.page.locator(".tasks .task")).to_have_count(2)


def rich_text(page: Playground, model: Endpoint) -> None:
    model.replies(Text(GUIDE))
    page.say("plan my weekend")
    page.shows("Bread is patient")
    page.is_quiet()


def reattached(page: Playground, model: Endpoint) -> None:
    model.replies(Text(STORY).waits_at(70))
    page.say("tell me a story")
    page.shows("rusted solid")
    page.button("For developers").click()
    page.button("Cut the line").click()
    page.note("Re-attached: nothing was lost").wait_for()


def reconnecting(page: Playground, model: Endpoint) -> None:
    model.replies(Text(STORY).waits_at(70))
    page.say("tell me a story")
    page.shows("rusted solid")
    page.page.context.set_offline(True)
    page.page.evaluate("import('/js/session.js').then(({ request }) => request.drop())")
    page.page.locator(".line", has_text="Reconnecting").wait_for()


def thinking(page: Playground, model: Endpoint) -> None:
    model.replies(Reply(text=STORY, reasoning="The user wants a story. " * 3).waits_at(20))
    page.say("think of a story")
    page.page.locator(".steps").first.wait_for()


def stopped(page: Playground, model: Endpoint) -> None:
    model.replies(Text(STORY).waits_at(70))
    page.say("tell me a story")
    page.shows("rusted solid")
    page.button("Stop").click()
    page.note("Stopped").wait_for()
    page.is_quiet()


def failed(page: Playground, model: Endpoint) -> None:
    model.replies(Text(STORY).ends_at(40))
    page.say("tell me a story")
    page.button("Try again").wait_for()


def asked_to_delete(page: Playground, model: Endpoint) -> None:
    page.say("something to forget")
    page.shows("Hello from the test model.")
    page.is_quiet()
    page.page.locator(".conversation").first.hover()
    page.button("Delete “something to forget”").click()
    page.page.get_by_role("dialog").wait_for()


NAMES = ["Ada", "Ben", "Cleo", "Dov", "Elif", "Finn", "Gaia", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Milo", "Nora"]
"""Each picture has a user, and so a list and conversations, of its own."""

DARK = {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 390, "height": 780}}

PICTURES: dict[str, tuple[State, dict[str, object]]] = {
    "sign-in": (sign_in, {}),
    "welcome": (welcome, {}),
    "welcome-dark": (welcome, DARK),
    "tool-call": (tool_call, {}),
    "rich-text": (rich_text, {}),
    "rich-text-dark": (rich_text, DARK),
    "reattached": (reattached, {}),
    "reconnecting-dark": (reconnecting, DARK),
    "thinking": (thinking, {}),
    "stopped": (stopped, {}),
    "failed": (failed, {}),
    "delete": (asked_to_delete, {}),
    "phone": (tool_call, PHONE),
    "phone-welcome-dark": (welcome, {**PHONE, **DARK}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_axe_finds_nothing_serious(name: str, browser: Browser, town: Town, model: Endpoint) -> None:
    state, options = PICTURES[name]
    size = {"width": 1180, "height": 760}
    context = browser.new_context(**{"viewport": size, "reduced_motion": "reduce", **options})  # type: ignore[arg-type]
    try:
        page = Playground(context.new_page(), town.house, town.url).enter(NAMES[list(PICTURES).index(name)])
        state(page, model)
        complaints = serious(page.page)
        if directory := os.environ.get("SCREENSHOTS"):
            page.page.screenshot(path=Path(directory) / f"{name}.png")
        assert complaints == []
        assert page.complaints == []
    finally:
        context.close()


def serious(page: Page) -> list[str]:
    """What axe says that would keep somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
