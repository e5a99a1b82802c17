"""A stream taken for its end."""

from collections.abc import AsyncIterator

import pytest
from agents.items import TResponseStreamEvent

from tests.worker.asking import completed
from worker.model_response import whole_response

pytestmark = pytest.mark.anyio


async def stream(*events: TResponseStreamEvent) -> AsyncIterator[TResponseStreamEvent]:
    for event in events:
        yield event


async def test_a_request_counts_even_where_its_tokens_were_not_counted() -> None:
    assert (await whole_response(stream(completed()))).usage.requests == 1


async def test_a_stream_without_an_end_has_no_response() -> None:
    with pytest.raises(EOFError):
        await whole_response(stream())
