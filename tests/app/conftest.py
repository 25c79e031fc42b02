"""A folder as `vestnik init` leaves it, and logging as it was."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from consumer.app.beginning import write_beginning
from consumer.app.logs import FLOORS
from consumer.catalogue import catalogue_files


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    folder = tmp_path / "begun"
    assert isinstance(write_beginning(folder, catalogue_files()), list)
    return folder


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    names = [None, *FLOORS]
    handlers, levels = root.handlers[:], [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()
