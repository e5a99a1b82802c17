"""Looks into Postgres the moment a tab is shown something as done: it must be there (law 6)."""

import psycopg

from tests.faults.clients import Tab
from tests.faults.house import FaultHouse
from tests.sse import Frame

_THERE = "SELECT item FROM messages WHERE id = %s"


class Witness:
    """To be given as a tab's `on_frame`. What it saw that should not be is in `complaints`."""

    def __init__(self, house: FaultHouse) -> None:
        self.complaints: list[str] = []
        self._url = house.database_url

    def __call__(self, tab: Tab, frame: Frame) -> None:
        if not isinstance(frame.data, dict) or frame.data["type"] not in ("thread.item.done", "thread.item.replaced"):
            return
        item = frame.data["item"]
        with psycopg.connect(self._url, autocommit=True) as connection:
            there = connection.execute(_THERE, [item["id"]]).fetchone()
        if there is None:
            self.complaints.append(f"{tab.user} was shown {item['id']} as done before it was stored")
