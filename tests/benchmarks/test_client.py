"""The load client reads what it has kept as a browser would, and knows when each byte came."""

import pytest

from benchmarks.client import Stream, received

pytestmark = pytest.mark.anyio

FRAME = (
    b'id: 1.%d\ndata: {"type":"thread.item.updated","item_id":"m","update":'
    b'{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"w %d "}}\n\n'
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def kept(*pieces: tuple[float, bytes]) -> Stream:
    stream = Stream()
    stream.asked_at = 1_000_000_000
    stream.pieces = [(int(seconds * 1e9), data) for seconds, data in pieces]
    return stream


async def test_a_chunked_answer_is_put_together_and_its_deltas_are_timed() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Run-Id: run_1\r\n\r\n"
    one, two = FRAME % (1, 1_500_000), FRAME % (2, 1_700_000)
    answer = received(await kept((2.0, head + chunk(one)), (3.0, chunk(two) + b"0\r\n\r\n")))
    assert (answer.status, answer.headers["x-run-id"], answer.body) == (200, "run_1", one + two)
    assert (answer.deltas, answer.ids, len(answer.frames)) == (2, ["1.1", "1.2"], 2)
    assert answer.first_delta == pytest.approx(1.0)
    assert answer.lateness == pytest.approx([0.5, 1.3])


@pytest.mark.parametrize("cut", range(1, 60))
async def test_where_the_network_cuts_changes_nothing_but_the_times(cut: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(FRAME % (1, 0)) + b"0\r\n\r\n"
    answer = received(await kept((2.0, whole[:cut]), (3.0, whole[cut:])))
    assert answer.body == FRAME % (1, 0)
    assert answer.first_delta in (pytest.approx(1.0), pytest.approx(2.0))


async def test_the_text_of_a_finished_message_is_no_delta() -> None:
    body = FRAME % (1, 5) + b'data: {"type":"thread.item.done","item":{"text":"w 5 w 6 "}}\n\n'
    answer = received(await kept((2.0, b"HTTP/1.1 200 OK\r\n\r\n" + body)))
    assert len(answer.lateness) == answer.deltas == 1
