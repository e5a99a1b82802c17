"""Reading clients that behave like resumable-fetch: they come back with Last-Event-ID until the run has ended.

Each keeps every frame it was given, with its id and its moment, and can be cut at any line.
"""

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.fold import Fold
from shared.records import End, Event
from tests.faults.waiting import until
from tests.house import bearer
from tests.sse import Frame, frames, user_message

RESET = struct.pack("ii", 1, 0)
OnFrame = Callable[["Tab", Frame], None]
Urls = list[str] | Callable[[], list[str]]
"""Addresses to try in turn; a function is asked each time, as a load balancer would be."""


@dataclass(frozen=True)
class Seen:
    """A frame, and when it came (`time.monotonic()`), over which connection of its tab."""

    frame: Frame
    at: float
    connection: int

    @property
    def type(self) -> str:
        return self.frame.data["type"] if isinstance(self.frame.data, dict) else ""

    @property
    def moves(self) -> bool:
        """Whether it tells something of the run: no ping, no place in the queue."""
        return bool(self.frame.id) or self.type.startswith("thread.") or (self.frame.comment or "").startswith("end ")


@dataclass(frozen=True)
class Refusal:
    """An answer that was no stream."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Tab:
    """One browser tab on one run. `start()` reads in a thread of its own until the run's end, or `leave()`."""

    def __init__(
        self,
        urls: Urls,
        user: str,
        *,
        body: dict[str, Any] | None = None,
        run_id: str | None = None,
        after: str | None = None,
        key: str | None = None,
        dialect: str = "chatkit",
        cut_after: Callable[[], int] | None = None,
        on_frame: OnFrame | None = None,
    ) -> None:
        self.urls, self.user, self.body, self.run_id, self.key = urls, user, body, run_id, key
        self.thread_id = ""
        self.seen: list[Seen] = []
        self.status: str | None = None
        """The run's end, as `: end` told it."""
        self.refusals: list[Refusal] = []
        self.connections = 0
        self.cursor, self.first_cursor = after, after
        self._dialect, self._cut_after, self._on_frame = dialect, cut_after, on_frame
        self._leaving = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._read_until_the_end, name=f"tab of {user}", daemon=True)

    def start(self) -> "Tab":
        self._thread.start()
        return self

    def leave(self) -> None:
        """Close the tab: the connection is reset."""
        self._leaving = True
        self.cut()

    def cut(self) -> None:
        """Lose the line, by RST; the tab comes back by itself."""
        raw = self._socket
        if raw is not None:
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                raw.shutdown(socket.SHUT_RDWR)

    # Waiting

    def admitted(self) -> "Tab":
        """Wait for the run's id."""
        until(lambda: self.run_id or not self._thread.is_alive(), "the admission")
        assert self.run_id, self.refusals
        return self

    def ended(self, *, seconds: float = 60.0) -> str:
        """Wait for the run's end, as this tab is told it."""
        until(lambda: self.status or not self._thread.is_alive(), f"the end of {self.run_id}", seconds=seconds)
        assert self.status is not None, (self.run_id, self.refusals)
        return self.status

    def shows(self, text: str, *, seconds: float = 30.0) -> float:
        """Wait until the text can be read in this tab; the moment it could."""
        until(lambda: text in self.text, lambda: f"{text!r} in {self.text[-300:]!r}", seconds=seconds)
        return self.seen[-1].at

    def moved(self, since: float, *, seconds: float = 40.0) -> float:
        """Wait for the first event of the log after that moment; how long after it that came."""
        moment = until(
            lambda: next((seen.at for seen in list(self.seen) if seen.at > since and seen.moves), None),
            f"an event of {self.run_id}",
            seconds=seconds,
        )
        return moment - since

    # What it has

    @property
    def ids(self) -> list[str]:
        return [seen.frame.id for seen in self.seen if seen.frame.id]

    def fold(self) -> Fold:
        """What this tab is showing."""
        fold = Fold()
        for seen in list(self.seen):
            if isinstance(seen.frame.data, dict):
                fold.apply(Event(json.dumps(seen.frame.data).encode()))
        if self.status:
            fold.apply(End(self.status))
        return fold

    @property
    def text(self) -> str:
        """The assistant's text that can be read in it now."""
        items = [item for item in self.fold().items() if item["type"] == "assistant_message"]
        return "\n".join("".join(part["text"] for part in item["content"]) for item in items)

    @property
    def ended_from_the_record(self) -> bool:
        """Whether the end was told from Postgres, because there was no log to tell it: its events have no ids."""
        return any(seen.type.startswith("thread.item") and not seen.frame.id for seen in self.seen)

    def of_type(self, kind: str) -> list[Seen]:
        return [seen for seen in list(self.seen) if seen.type == kind]

    # Reading

    def _read_until_the_end(self) -> None:
        while self.status is None and not self._leaving:
            urls = self.urls() if callable(self.urls) else self.urls
            if not urls:
                return
            url = urls[self.connections % len(urls)]
            self.connections += 1
            began = time.monotonic()
            with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
                if not self._connection(url, began):
                    return
            # A client that was cut comes back at once; one that was refused waits a little.
            if time.monotonic() - began < 0.02:
                time.sleep(0.05)

    def _connection(self, url: str, began: float) -> bool:
        """One connection; False when there is nothing to come back for."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=45)
        try:
            answer = self._ask(connection)
            if answer.status != 200:
                return self._refused(answer, began)
            self.run_id = answer.headers["X-Run-Id"]
            self.thread_id = answer.headers["X-Thread-Id"]
            limit = self._cut_after() if self._cut_after else None
            for frame in frames(self._lines(answer, limit)):
                self._take(frame)
        finally:
            if (raw := connection.sock or self._socket) is not None:
                with suppress(OSError):
                    raw.close()
            connection.close()
        return True

    def _ask(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        headers = bearer(self.user)
        if self.run_id is None:
            keyed = {"Idempotency-Key": self.key, "X-Resumable": "1"} if self.key else {}
            headers |= {"Content-Type": "application/json", **keyed}
            connection.request("POST", "/chatkit", json.dumps(self.body), headers)
        else:
            cursor = {"Last-Event-ID": self.cursor} if self.cursor else {}
            connection.request("GET", f"/runs/{self.run_id}/events?dialect={self._dialect}", headers=headers | cursor)
        self._socket = connection.sock
        return connection.getresponse()

    def _refused(self, answer: http.client.HTTPResponse, began: float) -> bool:
        body = answer.read()
        refusal = Refusal(answer.status, dict(answer.headers), body, time.monotonic() - began)
        self.refusals.append(refusal)
        if answer.status >= 500:
            time.sleep(0.2)
            return self.key is not None or self.run_id is not None
        return False

    def _lines(self, answer: http.client.HTTPResponse, limit: int | None) -> Iterator[str]:
        count = 0
        while line := answer.readline():
            if limit is not None and count >= limit:
                self.cut()
                return
            count += 1
            yield line.decode().rstrip("\r\n")

    def _take(self, frame: Frame) -> None:
        self.seen.append(Seen(frame, time.monotonic(), self.connections))
        if frame.id:
            self.cursor = frame.id
        if self._on_frame:
            self._on_frame(self, frame)
        if frame.comment and frame.comment.startswith("end "):
            self.status = frame.comment.removeprefix("end ")


def asking(text: str, thread_id: str | None = None) -> dict[str, Any]:
    """The ChatKit request that says this."""
    return user_message(text, thread_id)


def cuts(seed: int, *, most: int) -> Callable[[], int]:
    """Random lengths of a connection's life, in lines."""
    chance = random.Random(seed)
    return lambda: chance.randint(1, most)
