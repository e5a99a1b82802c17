"""A response's tokens: as they were counted, and by its length where nobody counted."""

from agents.testing import assistant_message
from openai.types.responses import Response

from tests.worker.asking import completed
from worker.tokens import tokens_of

USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}


def response(text: str, **more: object) -> Response:
    whole = completed(assistant_message(text)).response
    return Response.model_validate({**whole.model_dump(), **more})


def test_what_the_provider_has_counted_is_what_counts() -> None:
    assert tokens_of("x" * 4000, response("y" * 4000, usage=USAGE)) == 15


def test_a_model_that_does_not_count_is_not_free() -> None:
    nothing = {**USAGE, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert 2000 <= tokens_of("x" * 4000, response("y" * 4000, usage=nothing)) < 2200
    assert 2000 <= tokens_of("x" * 4000, response("y" * 4000)) < 2200
    assert 2000 <= tokens_of([{"role": "user", "content": "x" * 4000}], response("y" * 4000)) < 2200
