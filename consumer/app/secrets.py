"""Reads secrets from files and the environment, anew at each call, and refuses files that others may read or change."""

import stat
from collections.abc import Mapping
from pathlib import Path

from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef

SIZE_LIMIT_BYTES = 64 * 1024
# What nobody but the owner may do with a secret, whoever may read it.
_OTHERS = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


class SecretReader:
    """The `ReadSecret` of the process. Relative paths start at the folder of the configuration.

    `for_group`: a file's group may read it too, as where Kubernetes mounts secrets for an `fsGroup`.
    """

    def __init__(self, base: Path, environ: Mapping[str, str], *, for_group: bool = False) -> None:
        self._base = base
        self._environ = environ
        self._forbidden = _OTHERS if for_group else _OTHERS | stat.S_IRGRP

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
        path = self._path(ref)
        try:
            if exposed := self.exposed(path, ref.where):
                return Trouble("other", exposed)
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
