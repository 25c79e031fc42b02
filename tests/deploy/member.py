"""`vestnik run` as a process of its own on the embedded broker, which wants its clients' timing a little different."""

import os
import sys
from pathlib import Path

from consumer.app import wiring
from consumer.app.service import Options, run_service
from consumer.app.setup import Setup, load_setup
from consumer.app.signals import STOP
from consumer.core.ports import Emit
from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS
from consumer.streams.settings import Timing

TIMING = Timing(fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS)


def _streams(setup: Setup, emit: Emit) -> wiring.OpenStreams:
    return wiring.kafka_streams(setup, emit, TIMING)


def main(config: Path) -> int:
    """Run until a signal; the exit code."""
    STOP.install()
    setup = load_setup(config, os.environ)
    assert isinstance(setup, Setup), setup
    return run_service(setup, STOP, Options(streams=_streams))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
