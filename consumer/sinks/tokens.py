"""Where an OAuth token pair lies: one file that only we can read, replaced whole or not at all."""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from consumer.core.model import Blocked, Deferred
from consumer.sinks.answer import read_object

_ROOM_BYTES = 16 * 1024
_BUSY_SECONDS = 1.0
# What we add to the reply of the token endpoint: when the pair was got, and what an account must not forget.
NOTES = "vestnik"


@dataclass(frozen=True, slots=True)
class Tokens:
    """One reply of the token endpoint. `expires` is seconds since 1970 by the wall clock, None where nobody said it;
    `whole` is the reply as it came."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires: float | None = None
    whole: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def notes(self) -> dict[str, Any]:
        """What we have written beside the pair."""
        found = self.whole.get(NOTES)
        return dict(found) if isinstance(found, dict) else {}

    @property
    def obtained(self) -> float | None:
        """When the pair was issued, in seconds since 1970; None where nobody knows."""
        noted, lifetime = self.notes.get("obtained"), self.whole.get("expires_in")
        if isinstance(noted, (int, float)):
            return float(noted)
        return self.expires - lifetime if self.expires is not None and isinstance(lifetime, (int, float)) else None


class Pen(Protocol):
    """The right to replace a pair, held by one process at a time. Release it in any case."""

    async def write(self, document: Mapping[str, Any]) -> bool:
        """Replace the pair: durable when this returns True; False when the store did not take it."""
        ...

    async def release(self) -> None: ...


class TokenStore(Protocol):
    """Where the token pair of one account lies: what survives the process, and what the standby goes on with."""

    @property
    def where(self) -> str:
        """The place in words, for people."""
        ...

    async def read(self) -> Tokens | Blocked | Deferred: ...

    async def hold(self) -> Pen | Blocked | Deferred:
        """The pen; Deferred while another process has it."""
        ...


def read_tokens(document: Mapping[str, Any]) -> Tokens | None:
    """The pair in a reply or a file; None where one of the two is missing."""
    access, refresh, expires = document.get("access_token"), document.get("refresh_token"), document.get("expires")
    if not (isinstance(access, str) and isinstance(refresh, str) and access and refresh):
        return None
    known = isinstance(expires, (int, float)) and not isinstance(expires, bool)
    return Tokens(access, refresh, float(expires) if known and expires is not None else None, document)


class TokenFile:
    """The file that `vestnik auth` writes first and each refresh replaces. Its calls block for the time of an fsync."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Tokens | Blocked:
        """The pair, or why there is none: missing, open to others, or not what it should be."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    return self._blocked("can be read by others; chmod 600 it")
                document = read_object(file.read(_ROOM_BYTES))
        except FileNotFoundError:
            return self._blocked("does not exist; authorise the application first")
        except OSError as error:
            return self._blocked(f"cannot be read ({os.strerror(error.errno or 0)})")
        tokens = read_tokens(document or {})
        return tokens or self._blocked("holds no token pair; authorise the application again")

    def hold(self) -> "TokenPen | Blocked | Deferred":
        """The right to replace the pair, with the room for it already on the disk: a refresh that could not be kept
        must not begin."""
        try:
            lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            return self._blocked(f"cannot be locked ({os.strerror(error.errno or 0)})")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return TokenPen(self.path, lock)
        except BlockingIOError:
            os.close(lock)
            return Deferred("token_refresh_elsewhere", _BUSY_SECONDS, left=False)
        except OSError as error:
            os.close(lock)
            return self._blocked(f"cannot be replaced ({os.strerror(error.errno or 0)})")

    def _blocked(self, what: str) -> Blocked:
        return Blocked("token_store", f"token file {self.path} {what}")


class TokenPen:
    """Holds the lock of a token file, and a prepared file beside it. Release it in any case."""

    def __init__(self, path: Path, lock: int) -> None:
        self._path = path
        self._lock = lock
        self._draft = path.with_name(f"{path.name}.new")
        self._draft.unlink(missing_ok=True)  # of a process that died; we hold the lock
        self._file = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(self._file, b" " * _ROOM_BYTES)
            os.fsync(self._file)
        except OSError:
            self._discard()
            raise

    def write(self, document: Mapping[str, Any]) -> bool:
        """Replace the pair: durable when this returns True; False when the disk did not take it."""
        text = json.dumps(document).encode()
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            _write_all(self._file, text)
            os.ftruncate(self._file, len(text))
            os.fsync(self._file)
            self._draft.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError:
            return False
        return True

    def release(self) -> None:
        self._discard()
        os.close(self._lock)

    def _discard(self) -> None:
        os.close(self._file)
        with contextlib.suppress(OSError):
            self._draft.unlink(missing_ok=True)


class FileStore:
    """A token file as a store: its fsyncs happen in a thread."""

    def __init__(self, path: Path) -> None:
        self.file = TokenFile(path)

    @property
    def where(self) -> str:
        return f"token file {self.file.path}"

    async def read(self) -> Tokens | Blocked:
        return await asyncio.to_thread(self.file.read)

    async def hold(self) -> "FilePen | Blocked | Deferred":
        pen = await asyncio.to_thread(self.file.hold)
        return FilePen(pen) if isinstance(pen, TokenPen) else pen


class FilePen:
    """A file's pen, used from a loop."""

    def __init__(self, pen: TokenPen) -> None:
        self._pen = pen

    async def write(self, document: Mapping[str, Any]) -> bool:
        return await asyncio.to_thread(self._pen.write, document)

    async def release(self) -> None:
        await asyncio.to_thread(self._pen.release)


def _write_all(file: int, text: bytes) -> None:
    while text:
        text = text[os.write(file, text) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
