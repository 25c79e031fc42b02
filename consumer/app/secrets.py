"""Reads secrets from files and the environment, anew at each call, and looks at who else may read the file."""

import stat
from collections.abc import Mapping
from pathlib import Path

from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef

SIZE_LIMIT_BYTES = 64 * 1024


class SecretReader:
    """The `ReadSecret` of the process. Relative paths start at the folder of the configuration."""

    def __init__(self, base: Path, environ: Mapping[str, str]) -> None:
        self._base = base
        self._environ = environ

    def __call__(self, ref: SecretRef) -> str | Trouble:
        """The secret without its last line break; Trouble when it is not there, empty, or open to be changed."""
        value = self._from_environment(ref.env) if ref.env is not None else self._from_file(ref)
        if isinstance(value, str) and not value:
            return Trouble("other", f"{ref.where} is empty")
        return value

    def warning(self, ref: SecretRef) -> str | None:
        """What is not wrong enough to refuse: a file that everybody on the machine can read."""
        if ref.file is None:
            return None
        try:
            mode = self._path(ref).stat().st_mode
        except OSError:
            return None
        if mode & stat.S_IROTH:
            return f"{ref.where} can be read by everybody (mode {stat.S_IMODE(mode):04o}); make it 0600 or 0440"
        return None

    def _from_environment(self, name: str) -> str | Trouble:
        value = self._environ.get(name)
        return Trouble("other", f"environment variable {name} is not set") if value is None else value.strip("\r\n")

    def _path(self, ref: SecretRef) -> Path:
        return self._base / (ref.file or "")

    def _from_file(self, ref: SecretRef) -> str | Trouble:
        path = self._path(ref)
        try:
            mode = path.stat().st_mode
            if mode & (stat.S_IWGRP | stat.S_IWOTH):
                return Trouble(
                    "other", f"{ref.where} can be changed by others (mode {stat.S_IMODE(mode):04o}); chmod 600"
                )
            with path.open("rb") as file:
                content = file.read(SIZE_LIMIT_BYTES + 1)
        except OSError as error:
            return Trouble("other", f"{ref.where} cannot be read: {error.strerror}")
        return _text(content, ref)


def _text(content: bytes, ref: SecretRef) -> str | Trouble:
    if len(content) > SIZE_LIMIT_BYTES:
        return Trouble("other", f"{ref.where} is larger than 64 KiB")
    try:
        return content.decode().strip("\r\n")
    except UnicodeDecodeError:
        return Trouble("other", f"{ref.where} is not a text in UTF-8")
