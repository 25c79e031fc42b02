"""Secrets from files and the environment."""

from pathlib import Path

import pytest

from consumer.app.secrets import SIZE_LIMIT_BYTES, SecretReader
from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef


def stored(folder: Path, content: bytes, mode: int = 0o600) -> SecretRef:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return SecretRef(file="key")


def trouble(found: str | Trouble) -> str:
    assert isinstance(found, Trouble)
    assert found.reason == "other"
    return found.detail


@pytest.mark.parametrize("content", [b"canary", b"canary\n", b"canary\r\n"])
def test_a_file_is_read_without_its_last_line_break(tmp_path: Path, content: bytes) -> None:
    assert SecretReader(tmp_path, {})(stored(tmp_path, content)) == "canary"


def test_a_rotated_file_is_seen(tmp_path: Path) -> None:
    read, ref = SecretReader(tmp_path, {}), stored(tmp_path, b"old")
    assert read(ref) == "old"
    stored(tmp_path, b"new")
    assert read(ref) == "new"


def test_the_environment_is_read() -> None:
    read = SecretReader(Path(), {"KEY": "canary\n", "EMPTY": ""})
    assert read(SecretRef(env="KEY")) == "canary"
    assert trouble(read(SecretRef(env="EMPTY"))) == "environment variable EMPTY is empty"
    assert trouble(read(SecretRef(env="NONE"))) == "environment variable NONE is not set"
    assert read.warning(SecretRef(env="KEY")) is None


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o666])
def test_a_file_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    assert "can be changed by others" in trouble(SecretReader(tmp_path, {})(stored(tmp_path, b"canary", mode)))


def test_a_file_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    read, ref = SecretReader(tmp_path, {}), stored(tmp_path, b"canary", 0o644)
    assert read(ref) == "canary"
    assert "mode 0644" in str(read.warning(ref))
    assert read.warning(stored(tmp_path, b"canary", 0o440)) is None
    assert read.warning(SecretRef(file="nowhere")) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "not a text"),
        (b"x" * (SIZE_LIMIT_BYTES + 1), "larger than"),
    ],
)
def test_what_is_no_secret_is_told_without_its_content(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in trouble(SecretReader(tmp_path, {})(stored(tmp_path, content)))


def test_a_missing_file_is_told_by_its_path(tmp_path: Path) -> None:
    detail = trouble(SecretReader(tmp_path, {})(SecretRef(file="/nowhere/key")))
    assert detail == "file /nowhere/key cannot be read: No such file or directory"
