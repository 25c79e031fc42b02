"""Reads secrets from files and the environment, as they are at each call, and refuses files that others may read or
change."""

import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef

SIZE_LIMIT_BYTES = 64 * 1024
# What nobody but the owner may do with a secret, whoever may read it.
_OTHERS = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
# A file system's clock may stand still so long: within that time, a file can change and show nothing of it.
STANDSTILL_SECONDS = 2.0


class _Mark(NamedTuple):
    """What changes when a file or its content does."""

    device: int
    inode: int
    mode: int
    size: int
    written_ns: int
    changed_ns: int


class _Kept(NamedTuple):
    path: str
    mark: _Mark
    secret: str


class SecretReader:
    """The `ReadSecret` of the process. Relative paths start at the folder of the configuration.

    `for_group`: a file's group may read it too, as where Kubernetes mounts secrets for an `fsGroup`.
    """

    def __init__(self, base: Path, environ: Mapping[str, str], *, for_group: bool = False) -> None:
        self._base = base
        self._environ = environ
        self._forbidden = _OTHERS if for_group else _OTHERS | stat.S_IRGRP
        self._kept: dict[str, _Kept] = {}

    def __call__(self, ref: SecretRef) -> str | Trouble:
        """The secret without its last line break; Trouble when it is not there, empty, or open to be changed."""
        value = self._from_environment(ref.env) if ref.env is not None else self._from_file(ref)
        if isinstance(value, str) and not value:
            return Trouble("other", f"{ref.where} is empty")
        return value

    def exposure(self, ref: SecretRef) -> str | None:
        """Who may read or change the secret's file and should not; None when all is well, or there is no file."""
        try:
            return None if ref.file is None else self.exposed(self._path(ref), ref.where)
        except OSError:
            return None

    def exposed(self, path: Path, where: str) -> str | None:
        """The same of any file. Raises OSError where it is not there."""
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & self._forbidden:
            return None
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"{where} can be changed by others (mode {mode:04o}); chmod 600"
        who = "everybody" if mode & stat.S_IRWXO else "its group"
        mend = "" if mode & stat.S_IRWXO else ", or say `secret_files: group` where that is meant"
        return f"{where} can be read by {who} (mode {mode:04o}); chmod 600{mend}"

    def _from_environment(self, name: str) -> str | Trouble:
        value = self._environ.get(name)
        return Trouble("other", f"environment variable {name} is not set") if value is None else value.strip("\r\n")

    def _path(self, ref: SecretRef) -> Path:
        return self._base / (ref.file or "")

    def _from_file(self, ref: SecretRef) -> str | Trouble:
        """A key is read before each request, and hardly ever changes: a look at its file says whether it did."""
        name = ref.file or ""
        kept = self._kept.get(name)
        try:
            if kept is not None and _mark(kept.path) == kept.mark:
                return kept.secret
            return self._read(name, ref)
        except OSError as error:
            return Trouble("other", f"{ref.where} cannot be read: {error.strerror}")

    def _read(self, name: str, ref: SecretRef) -> str | Trouble:
        self._kept.pop(name, None)
        path = self._path(ref)
        mark = _mark(str(path))
        if exposed := self.exposed(path, ref.where):
            return Trouble("other", exposed)
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT_BYTES + 1)
        secret = _text(content, ref)
        if isinstance(secret, str) and time.time() - mark.changed_ns / 1e9 > STANDSTILL_SECONDS:
            self._kept[name] = _Kept(str(path), mark, secret)
        return secret


def _mark(path: str) -> _Mark:
    found = os.stat(path)  # noqa: PTH116 - a Path would cost as much again
    return _Mark(found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _text(content: bytes, ref: SecretRef) -> str | Trouble:
    if len(content) > SIZE_LIMIT_BYTES:
        return Trouble("other", f"{ref.where} is larger than 64 KiB")
    try:
        return content.decode().strip("\r\n")
    except UnicodeDecodeError:
        return Trouble("other", f"{ref.where} is not a text in UTF-8")
