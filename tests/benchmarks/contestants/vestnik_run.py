"""Vestnik itself, as `vestnik run` runs it; on the embedded broker with fetches that do not wait long."""

import sys
from pathlib import Path

from consumer.app.commands.shared import Format, load
from consumer.app.service import Options, run_service
from consumer.app.setup import Setup
from consumer.app.signals import STOP
from consumer.app.wiring import OpenStreams, kafka_streams
from consumer.core.ports import Emit
from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS
from consumer.streams.settings import Timing


def streams(setup: Setup, emit: Emit) -> OpenStreams:
    return kafka_streams(setup, emit, Timing(fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS))


if __name__ == "__main__":
    STOP.install()
    sys.exit(run_service(load(Path(sys.argv[1]), Format.TABLE), STOP, Options(streams)))
