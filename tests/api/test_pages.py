"""The pages: served under a policy that lets nothing in from elsewhere."""

import httpx
import pytest

from tests.house import House


def policy(answer: httpx.Response) -> dict[str, str]:
    """The directives of its Content-Security-Policy."""
    pairs = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("path", ["/", "/js/main.js", "/resumable-fetch.js", "/css/base.css"])
def test_every_file_has_the_policy(house: House, path: str) -> None:
    answer = httpx.get(house.url + path)
    assert answer.status_code == 200
    assert policy(answer)["default-src"] == "'none'"
    assert policy(answer)["script-src"] == "'self'"
    assert policy(answer)["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_the_page_of_the_component_may_load_it(house: House) -> None:
    found = policy(httpx.get(f"{house.url}/component.html"))
    assert found["script-src"] == "'self' https://cdn.platform.openai.com"
    assert found["frame-src"] == "https://cdn.platform.openai.com"


def test_pages_hold_no_inline_script_and_no_inline_style(house: House) -> None:
    for path in ("/", "/component.html"):
        page = httpx.get(house.url + path).text
        assert "<script>" not in page
        assert "style=" not in page
        assert "onclick=" not in page


def test_the_helper_may_be_imported_by_a_page_of_another_origin(house: House) -> None:
    answer = httpx.get(f"{house.url}/resumable-fetch.js", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert len(answer.text.splitlines()) < 200
    assert "Access-Control-Allow-Origin" not in httpx.get(house.url).headers


def test_no_other_file_can_be_reached(house: House) -> None:
    for path in ("/../pages.py", "/%2e%2e/pages.py", "/js/", "/nothing.html"):
        assert httpx.get(house.url + path).status_code in (404, 405)


def test_the_pages_are_told_only_what_is_no_secret(house: House) -> None:
    assert httpx.get(f"{house.url}/playground.json").json() == {"dev_token": True, "domain_key": None}
