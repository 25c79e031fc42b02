"""Fake providers on loopback, for tests and the demo; run as a program they serve tests with several processes.

    vestnik fakes --imshop-port 0 --bitrix-port 0

prints one JSON line with the addresses, and serves until it is stopped. Each address has `/_fake/report`,
`/_fake/deliveries`, `/_fake/requests`, and `/_fake/faults`, where a PUT of `{"kind": "hang", "times": 3}` makes it go
wrong and a DELETE heals it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from consumer.demo.fakes_base import Arrival as Arrival
from consumer.demo.fakes_base import Delivery as Delivery
from consumer.demo.fakes_base import FakeProvider as FakeProvider
from consumer.demo.fakes_base import Fault as Fault
from consumer.demo.fakes_bitrix24 import Bitrix24Fake as Bitrix24Fake
from consumer.demo.fakes_bitrix24 import Bitrix24Profile as Bitrix24Profile
from consumer.demo.fakes_imshop import ImshopFake as ImshopFake
from consumer.demo.fakes_imshop import ImshopProfile as ImshopProfile
from consumer.demo.fakes_onesignal import OnesignalFake as OnesignalFake
from consumer.demo.fakes_onesignal import OnesignalProfile as OnesignalProfile
from consumer.demo.fakes_webhook import WebhookFake as WebhookFake


def write_tokens(path: Path, fake: Bitrix24Fake) -> None:
    """A fresh token pair of the fake, in a file as a Bitrix24 lane wants it: readable by its owner alone."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(fake.tokens(), file)


async def serve(options: argparse.Namespace) -> None:
    """All fakes, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    FakeProvider.listens_on = options.host
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        quota = (options.imshop_requests, options.imshop_seconds)
        imshop = await stack.enter_async_context(ImshopFake(options.imshop_key, quota, port=options.imshop_port))
        profile = Bitrix24Profile(depth=options.bitrix_depth, drain=options.bitrix_drain)
        client = (options.bitrix_client_id, options.bitrix_client_secret)
        fake = Bitrix24Fake(profile, client=client, token_seconds=options.token_seconds, port=options.bitrix_port)
        bitrix24 = await stack.enter_async_context(fake)
        if options.token_file is not None:
            await asyncio.to_thread(write_tokens, options.token_file, bitrix24)
        addresses = {"imshop": imshop.url, "bitrix24": bitrix24.url, "oauth": bitrix24.oauth_url}
        strangers = frozenset(options.strangers.split(",")) - {""}
        others = OnesignalProfile(strangers=strangers)
        onesignal = OnesignalFake(options.onesignal_key, profile=others, port=options.onesignal_port)
        webhook = WebhookFake(options.webhook_key, strangers, port=options.webhook_port)
        addresses["onesignal"] = (await stack.enter_async_context(onesignal)).url
        addresses["webhook"] = (await stack.enter_async_context(webhook)).url
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        await stop.wait()


def options_of(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m consumer.demo.fakes", description=__doc__)
    parser.add_argument("--host", default=FakeProvider.listens_on)
    parser.add_argument("--imshop-port", type=int, default=0)
    parser.add_argument("--imshop-key", default="imshop-key")
    parser.add_argument("--imshop-requests", type=int, default=10)
    parser.add_argument("--imshop-seconds", type=float, default=60.0)
    parser.add_argument("--bitrix-port", type=int, default=0)
    parser.add_argument("--bitrix-depth", type=float, default=50.0)
    parser.add_argument("--bitrix-drain", type=float, default=2.0)
    parser.add_argument("--bitrix-client-id", default="local.app")
    parser.add_argument("--bitrix-client-secret", default="client-secret")
    parser.add_argument("--token-seconds", type=float, default=3600.0)
    parser.add_argument("--token-file", type=Path, default=None, help="write a token pair of the fake portal here")
    parser.add_argument("--onesignal-port", type=int, default=0)
    parser.add_argument("--onesignal-key", default="onesignal-key")
    parser.add_argument("--webhook-port", type=int, default=0)
    parser.add_argument("--webhook-key", default=None)
    parser.add_argument("--strangers", default="", help="who has no subscription at OneSignal and the webhook: 1,2,3")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    asyncio.run(serve(options_of(sys.argv[1:])))
