"""A command's output again whenever one of its files is saved, until Ctrl-C."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

LOOK_SECONDS = 0.5
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
            typer.echo("\033[2J\033[H", nl=False)
            # What is wrong was told; the next save may mend it.
            with suppress(typer.Exit):
                show()
        if not wait():
            return


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
