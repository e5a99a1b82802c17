"""The page of OpenAI's own component: its CDN is not here, so a stand-in takes the place of its script."""

from pathlib import Path

from playwright.sync_api import BrowserContext, Route, expect

from tests.browser.conftest import Town
from tests.browser.playground import Playground
from tests.model_endpoint import Endpoint, Text

CDN = "https://cdn.platform.openai.com/**"
STAND_IN = (Path(__file__).parent / "pages" / "stand-in.js").read_text()


def test_without_a_domain_key_it_says_what_is_missing(context: BrowserContext, town: Town) -> None:
    page = context.new_page()
    page.goto(f"{town.url}/component.html")
    page.get_by_role("heading", name="No domain key").wait_for()


def test_with_one_the_component_answers_and_comes_back(context: BrowserContext, town: Town, model: Endpoint) -> None:
    model.replies(Text("one two three four").waits_at(2))
    script = STAND_IN.replace("customElements.define('stand-in-chatkit'", "customElements.define('openai-chatkit'")

    def serve(route: Route) -> None:
        route.fulfill(body=script.replace("export class", "class"), content_type="text/javascript")

    context.route(CDN, serve)
    with town.other_api(CHATKIT_DOMAIN_KEY="domain_pk_test") as url:
        page = Playground(context.new_page(), town.house, url)
        page.enter("component")
        page.page.goto(f"{page.url}/component.html")
        chat = page.page.locator("openai-chatkit")
        chat.wait_for(state="attached")
        page.page.wait_for_function("document.querySelector('openai-chatkit').configured === true")
        chat.evaluate("(chat) => { chat.sendUserMessage({ text: 'go' }) }")
        expect(chat).to_contain_text("one two")
        page.page.reload()
        expect(chat).to_contain_text("one two")
        model.release()
        expect(chat).to_have_text("one two three four")
        assert chat.evaluate("(chat) => chat.violations") == []
        assert page.complaints == []
