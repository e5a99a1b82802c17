"""Only a Stop is told as one: not a deploy, not a lost lease."""

from typing import Any

import pytest
from chatkit.server import ChatKitServer

from shared.tables import Run
from worker.current_run import CurrentRun, carrying_out
from worker.stop import tell_only_of_stop

pytestmark = pytest.mark.anyio


class Server(ChatKitServer[Any]):
    """Remembers what it was told of."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.told: list[list[Any]] = []

    def respond(self, *_: Any) -> Any:
        raise NotImplementedError

    async def handle_stream_cancelled(self, thread: Any, pending_items: list[Any], context: Any) -> None:
        self.told.append(pending_items)


@pytest.mark.parametrize("store_is_open", [True, False])
async def test_the_server_is_told_while_its_store_is_open_and_not_after(store_is_open: bool) -> None:
    server = Server()
    tell_only_of_stop(server)
    current = CurrentRun(Run(id="run_1", user_id="ann", kind="respond"), say=lambda _: None, open=store_is_open)
    with carrying_out(current):
        await server.handle_stream_cancelled(None, ["half"], None)
    assert server.told == ([["half"]] if store_is_open else [])
