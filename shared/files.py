"""Where the bytes of attachments are: a small interface that a bucket could implement, and a directory that does."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.errors import NotFound
from shared.ids import new_id

CHUNK = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-]{4,200}")


class Files(Protocol):
    """Files by name. A name is there with all its bytes or not at all."""

    async def save(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Keep these bytes under the name, in place of what it had; their number. Raises what the chunks raise."""
        ...

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The bytes, chunk by chunk. Raises NotFound."""
        ...

    async def delete(self, name: str) -> None:
        """Forget the name; one that is not there is no error."""
        ...

    async def older_than(self, seconds: float) -> list[str]:
        """The names that were kept so long ago or longer."""
        ...


class DirectoryFiles:
    """Files in a directory that every API and worker process sees."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def save(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        path = self._path(name)
        temporary = path.with_name(new_id(".part"))
        size = 0
        file = await asyncio.to_thread(_created, temporary)
        try:
            async for chunk in chunks:
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.close)
            temporary.replace(path)
        finally:
            file.close()
            temporary.unlink(missing_ok=True)
        return size

    async def read(self, name: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self._path(name).open, "rb")
        except FileNotFoundError:
            raise NotFound from None
        with file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk

    async def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    async def older_than(self, seconds: float) -> list[str]:
        return await asyncio.to_thread(lambda: list(self._older_than(seconds)))

    def _older_than(self, seconds: float) -> Iterator[str]:
        for parent, _, names in os.walk(self._directory):
            for name in names:
                with suppress(FileNotFoundError):
                    if Path(parent, name).stat().st_mtime <= time.time() - seconds:
                        yield name

    def _path(self, name: str) -> Path:
        """In one of many subdirectories, by the name's last letters, which are random."""
        if not _NAME.fullmatch(name.removeprefix(".part")):
            raise NotFound
        return self._directory / name[-2:] / name


def _created(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.open("xb")
