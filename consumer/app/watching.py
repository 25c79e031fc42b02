"""A command's output again whenever one of its files is saved, until Ctrl-C."""

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

import typer

LOOK_SECONDS = 0.5
CLEAR = "\033[2J\033[H"
_SUFFIXES = (".yaml", ".yml", ".json")

Signature = tuple[tuple[str, int, int], ...]


def watched(
    config: Path, event: Path | None, show: Callable[[], object], look: Callable[[], bool] | None = None
) -> None:
    """Show it now and after each change of a file beside the configuration. A mistake is shown and ends nothing.
    `look` waits until the next look at the files; false ends it."""
    wait = look or _patience
    seen: Signature = ()
    while True:
        found = signature(config, event)
        if found != seen:
            seen = found
            _show_anew(show)
        if not wait():
            return


def _show_anew(show: Callable[[], object]) -> None:
    """Put what is told into the place of the former, at once: until it is ready the former stays to be read."""
    out, err = _Held(sys.stdout), _Held(sys.stderr)
    # What is wrong was told; the next save may mend it.
    with suppress(typer.Exit), redirect_stdout(out), redirect_stderr(err):
        show()
    typer.echo(CLEAR + out.getvalue(), nl=False)
    typer.echo(err.getvalue(), nl=False, err=True)


class _Held(io.StringIO):
    """What a command writes, kept; in the colours and the signs that the real stream takes."""

    def __init__(self, real: TextIO) -> None:
        super().__init__()
        self._real = real

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._real.encoding

    def isatty(self) -> bool:
        return self._real.isatty()


def _patience() -> bool:
    try:
        threading.Event().wait(LOOK_SECONDS)
    except KeyboardInterrupt:
        return False
    return True


def signature(config: Path, event: Path | None) -> Signature:
    """Changes when a file of the folder does."""
    return tuple(sorted(_stood(config if config.is_dir() else config.parent, event)))


def _stood(folder: Path, event: Path | None) -> Iterator[tuple[str, int, int]]:
    files = [path for path in folder.rglob("*") if path.suffix in _SUFFIXES]
    for path in files if event is None else [*files, event]:
        try:
            stat = path.stat()
        except OSError:
            continue  # it was removed in between
        yield str(path), stat.st_mtime_ns, stat.st_size
