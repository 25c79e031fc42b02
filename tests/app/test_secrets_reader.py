"""Secrets from files and the environment."""

import os
import time
from pathlib import Path
from typing import IO, Any

import pytest

from consumer.app.secrets import SIZE_LIMIT_BYTES, STANDSTILL_SECONDS, SecretReader
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


def test_a_file_that_has_not_changed_for_a_while_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    read, ref = SecretReader(tmp_path, {}), stored(tmp_path, b"old")
    opened: list[Path] = []
    opens = Path.open

    def counted(path: Path, mode: str) -> IO[Any]:
        opened.append(path)
        return opens(path, mode)

    monkeypatch.setattr(Path, "open", counted)
    assert [read(ref), read(ref)] == ["old", "old"]
    assert len(opened) == 2, "what was written just now may be written once more without a trace"
    monkeypatch.setattr(time, "time", lambda: now + 2 * STANDSTILL_SECONDS)
    assert [read(ref), read(ref), read(ref)] == ["old", "old", "old"]
    assert len(opened) == 3


def test_of_a_file_that_is_known_any_change_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * STANDSTILL_SECONDS)
    read, ref = SecretReader(tmp_path, {}), stored(tmp_path, b"old")
    path = tmp_path / "key"
    assert read(ref) == "old"
    path.chmod(0o604)
    assert "can be read by everybody" in trouble(read(ref))
    path.chmod(0o600)
    assert read(ref) == "old"
    (tmp_path / "next").write_bytes(b"new")
    (tmp_path / "next").chmod(0o600)
    os.utime(tmp_path / "next", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    (tmp_path / "next").rename(path)
    assert read(ref) == "new"
    path.unlink()
    assert "cannot be read" in trouble(read(ref))
    stored(tmp_path, b"newest")
    assert read(ref) == "newest"


def test_the_environment_is_read() -> None:
    read = SecretReader(Path(), {"KEY": "canary\n", "EMPTY": ""})
    assert read(SecretRef(env="KEY")) == "canary"
    assert trouble(read(SecretRef(env="EMPTY"))) == "environment variable EMPTY is empty"
    assert trouble(read(SecretRef(env="NONE"))) == "environment variable NONE is not set"
    assert read.exposure(SecretRef(env="KEY")) is None


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o666])
def test_a_file_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    assert "can be changed by others" in trouble(SecretReader(tmp_path, {})(stored(tmp_path, b"canary", mode)))


@pytest.mark.parametrize(("mode", "who"), [(0o644, "everybody"), (0o604, "everybody"), (0o440, "its group")])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int, who: str) -> None:
    read, ref = SecretReader(tmp_path, {}), stored(tmp_path, b"canary", mode)
    assert f"can be read by {who} (mode {mode:04o})" in trouble(read(ref))
    assert read.exposure(ref) == trouble(read(ref))
    assert read.exposure(SecretRef(file="nowhere")) is None


@pytest.mark.parametrize("mode", [0o440, 0o640])
def test_a_group_may_read_where_that_is_said(tmp_path: Path, mode: int) -> None:
    ref = stored(tmp_path, b"canary", mode)
    assert "secret_files: group" in trouble(SecretReader(tmp_path, {})(ref))
    assert SecretReader(tmp_path, {}, for_group=True)(ref) == "canary"
    for looser in (0o444, 0o660):
        assert isinstance(SecretReader(tmp_path, {}, for_group=True)(stored(tmp_path, b"canary", looser)), Trouble)


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
