"""The one file of a multipart form, read as it comes: never whole in memory, never on disk twice."""

from collections.abc import AsyncIterator
from email.message import Message

from python_multipart.multipart import MultipartParser
from starlette.requests import Request

from api.body import arriving
from shared.errors import Invalid, MalformedBody, TooLarge

MAX_BEFORE_FILE = 64 * 1024
"""Bytes of other parts that a form may have before its file."""


class FilePart:
    """The first part of the form that has a filename: its name and type, and its bytes to come."""

    def __init__(self, request: Request, *, patience: float) -> None:
        boundary = _parameter(request.headers.get("content-type", ""), "multipart/form-data", "boundary")
        if not boundary:
            raise MalformedBody("The body must be multipart/form-data with a file.")
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
            },
        )
        self._body = arriving(request, patience=patience)
        self._before = 0
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._reading = self._found = False
        self._pieces: list[bytes] = []
        self.name = self.mime_type = ""

    async def found(self) -> None:
        """Read on to the file's beginning. Raises MalformedBody, TooSlow, TooLarge, and Invalid where there is none."""
        async for chunk in self._body:
            self._feed(chunk)
            if self._found:
                return
            self._before += len(chunk)
            if self._before > MAX_BEFORE_FILE:
                raise TooLarge("The file must come first in the form.")
        raise Invalid("The form has no file.")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        while True:
            for piece in self._take():
                yield piece
            if not self._reading:
                return
            self._feed(await anext(self._body, b""))

    def _feed(self, chunk: bytes) -> None:
        if not chunk and self._reading:
            raise MalformedBody("The form breaks off.")
        try:
            self._parser.write(chunk)
        except ValueError:
            raise MalformedBody("The form cannot be read.") from None

    def _take(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        name = _parameter(self._headers.get("content-disposition", ""), "form-data", "filename")
        if name and not self._found:
            self._found = self._reading = True
            self.name, self.mime_type = name, self._headers.get("content-type", "")
        self._headers = {}

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._reading:
            self._pieces.append(data[start:end])

    def _on_part_end(self) -> None:
        self._reading = False


def _parameter(header: str, kind: str, name: str) -> str:
    """A parameter of a header of this kind; empty where there is none."""
    message = Message()
    message["content-type"] = header
    value = message.get_param(name, "") if header.partition(";")[0].strip().lower() == kind else ""
    return value[2] if isinstance(value, tuple) else str(value)
