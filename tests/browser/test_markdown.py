"""The playground's markdown: what models write is shown well, and nothing of it becomes markup of its own."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Town

RENDER = """async (text) => {
    const { render } = await import('/js/markdown.js');
    const element = document.createElement('div');
    render(element, text);
    const bare = element.innerHTML.replace(/<button.*?<\\/button>/g, '');
    return bare.replace(/ (tabindex|aria-label|target|rel)="[^"]*"/g, '');
}"""

CASES = {
    "one\ntwo\n\nthree": "<p>one\ntwo</p><p>three</p>",
    "# A\n### B #": "<h1>A</h1><h3>B</h3>",
    "*a* **b** ***c***": "<p><em>a</em> <strong>b</strong> <strong><em>c</em></strong></p>",
    "~~d~~ `e`": "<p><del>d</del> <code>e</code></p>",
    "snake_case_name and 2 * 3 * 4": "<p>snake_case_name and 2 * 3 * 4</p>",
    "- a\n- b\n  - c\n\n1. d\n2. e": "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol><li>d</li><li>e</li></ol>",
    "3. c": '<ol start="3"><li>c</li></ol>',
    "> a\n> b": "<blockquote><p>a\nb</p></blockquote>",
    "```py\n<b>\n\n*x*\n```": "<pre><code>&lt;b&gt;\n\n*x*</code></pre>",
    "```\nstill open": "<pre><code>still open</code></pre>",
    "a | b\n--|--\n1 | 2": (
        '<div class="table"><table><thead><tr><th>a</th><th>b</th></tr></thead>'
        "<tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>"
    ),
    "---": "<hr>",
    "[x](https://a.example/b_c)": '<p><a href="https://a.example/b_c">x</a></p>',
    "see https://a.example/b.": '<p>see <a href="https://a.example/b">https://a.example/b</a>.</p>',
    "![x](https://a.example/i.png)": '<p><a href="https://a.example/i.png">x</a></p>',
    "[x](javascript:alert(1))": "<p><span>x</span></p>",
    "[x](data:text/html,hi)": "<p><span>x</span></p>",
    "<script>alert(1)</script>": "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
    "**half": "<p>**half</p>",
    r"\*not\*": "<p>*not*</p>",
    "a  \nb": "<p>a<br>b</p>",
}


@pytest.fixture(scope="module")
def blank(browser: object, town_of_all: Town) -> object:
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto(town_of_all.url)
    yield page
    page.close()


@pytest.mark.parametrize("text", CASES)
def test_markdown_is_rendered(blank: Page, text: str) -> None:
    assert blank.evaluate(RENDER, text) == CASES[text]


def test_a_growing_text_keeps_the_blocks_it_has(blank: Page) -> None:
    kept = """async () => {
        const { render } = await import('/js/markdown.js');
        const element = document.createElement('div');
        render(element, 'first\\n\\nsecond');
        const first = element.firstChild;
        render(element, 'first\\n\\nsecond grows\\n\\nthird');
        return [element.firstChild === first, element.textContent];
    }"""
    assert blank.evaluate(kept) == [True, "firstsecond growsthird"]


@pytest.mark.parametrize("text", ["*" * 5000, "[" * 5000, "`a" * 3000, "> " * 3000, "**a " * 2000, "- " * 2000])
def test_hostile_text_does_not_hang_the_page(blank: Page, text: str) -> None:
    seconds = "async (text) => { const from = performance.now(); await (%s)(text); return performance.now() - from; }"
    assert blank.evaluate(seconds % RENDER, text) < 5_000
