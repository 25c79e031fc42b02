"""One POST from a thread: by requests, as most would write it, or by the standard library's bare client, as few do."""

import importlib
from collections.abc import Callable
from http.client import HTTPConnection
from threading import local
from typing import Any

from tests.benchmarks.contestants.job import HEADERS, Task, body_of

TIMEOUT_SECONDS = 30
Push = Callable[[bytes], None]


def pushing(given: Task) -> Push:
    """What pushes one event; each thread keeps a connection of its own."""
    return _lean(given) if given.lean else _usual(given)


def _usual(given: Task) -> Push:
    requests: Any = importlib.import_module("requests")
    own = local()

    def push(value: bytes) -> None:
        session = getattr(own, "session", None)
        if session is None:
            session = own.session = requests.Session()
        session.post(given.url, data=body_of(value), headers=HEADERS, timeout=TIMEOUT_SECONDS).raise_for_status()

    return push


def _lean(given: Task) -> Push:
    own = local()

    def push(value: bytes) -> None:
        connection = getattr(own, "connection", None)
        if connection is None:
            connection = own.connection = HTTPConnection(given.host, timeout=TIMEOUT_SECONDS)
        connection.request("POST", "/", body_of(value), HEADERS)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(response.status)

    return push
