"""Vestnik itself, as `vestnik run` runs it: on the embedded broker with fetches that do not wait long, and on request
with a transport that carries nothing anywhere."""

import argparse
from dataclasses import replace
from pathlib import Path

from consumer.app.commands.shared import Format, load
from consumer.app.service import Options, run_service
from consumer.app.setup import Setup
from consumer.app.signals import STOP
from consumer.app.wiring import Attach, OpenStreams, kafka_streams, surroundings, unattached, usual_streams
from consumer.core.ports import Emit
from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS
from consumer.engine.settings import LaneParts
from consumer.sinks.base import ProviderSink, providers
from consumer.streams.settings import Timing
from tests.benchmarks.nowhere import Nowhere


def embedded_streams(setup: Setup, emit: Emit) -> OpenStreams:
    return kafka_streams(setup, emit, Timing(fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS))


def nowhere(setup: Setup, file: Path) -> Attach:
    """Each lane's provider as it is, but for what carries its calls."""

    def attach(lane: str, parts: LaneParts) -> LaneParts:
        account = setup.accounts[lane]
        provider, around = providers()[account.type], surroundings(setup, parts.emit, lane)
        sink = ProviderSink(provider, account, provider.account(account, around), Nowhere(file), around)
        return replace(parts, sink=sink)

    return attach


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--nowhere", type=Path)
    told = parser.parse_args()
    STOP.install()
    setup = load(told.config, Format.TABLE)
    attach = unattached if told.nowhere is None else nowhere(setup, told.nowhere)
    streams = embedded_streams if told.embedded else usual_streams
    return run_service(setup, STOP, Options(streams, attach=attach))


if __name__ == "__main__":
    raise SystemExit(main())
