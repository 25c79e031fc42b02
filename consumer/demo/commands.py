"""The commands `vestnik demo` and `vestnik publish`."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import kafka_settings
from consumer.core.model import Trouble
from consumer.demo.demo import DemoOptions, run_demo
from consumer.demo.fakes import options_of, serve
from consumer.demo.olist import BRAZIL, Window, publications, read_orders
from consumer.demo.publish import Account, publish_all
from consumer.demo.shop import Pace, Publication, Shop
from consumer.streams.publisher import Publisher
from consumer.streams.settings import KafkaSettings

DATE = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

Seconds = Annotated[float, typer.Option(min=10.0, max=3600.0, help="How long the demo runs.")]
Rate = Annotated[float, typer.Option(min=0.1, max=1000.0, help="Events a second, outside of bursts.")]
Seed = Annotated[int, typer.Option(help="One seed is one history of the shop.")]
Report = Annotated[Path | None, typer.Option(help="Also write the report as JSON to this file.", dir_okay=False)]
Fast = Annotated[float, typer.Option(min=1.0, max=100.0, help="Run the clock of quotas and providers so much faster.")]
Bootstrap = Annotated[str, typer.Option(envvar="VESTNIK_KAFKA_BOOTSTRAP", help="host:port of some brokers.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Take the brokers, TLS and SASL of this file.")]
Olist = Annotated[Path | None, typer.Option(help="Folder with the Olist CSV files: publish its real orders.")]
Speed = Annotated[float, typer.Option(min=0.001, help="With --olist: seconds of the data in one second.")]
Day = Annotated[datetime | None, typer.Option(formats=DATE[:1], help="With --olist: this day alone.")]
Since = Annotated[datetime | None, typer.Option("--from", formats=DATE, help="With --olist: from this time on.")]
Until = Annotated[datetime | None, typer.Option("--to", formats=DATE, help="With --olist: up to this time.")]
Shift = Annotated[bool, typer.Option(help="With --olist: events occur now. Without it they keep their old times.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0 is any that is free.")]
Strangers = Annotated[str, typer.Option(help="Who has no subscription, with commas between.")]
TokenFile = Annotated[Path | None, typer.Option(help="Write a token pair of the fake portal here.", dir_okay=False)]
Open = Annotated[float, typer.Option(min=1.0, help="Without --olist: how long the sample shop publishes.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("demo")(demo)
    app.command("publish")(publish)
    app.command("fakes")(fakes)


def demo(seconds: Seconds = 60.0, rate: Rate = 6.0, report: Report = None, seed: Seed = 1, fast: Fast = 1.0) -> None:
    """A broker, two providers, a shop and the consumer in one process; then a report of what came of it."""
    options = DemoOptions(seconds, rate, report, seed, fast)
    raise typer.Exit(_run(lambda stop: run_demo(options, Console(), stop)))


def fakes(  # noqa: PLR0913 - the options of a command, each with a name of its own
    imshop_port: Port = 0,
    bitrix_port: Port = 0,
    onesignal_port: Port = 0,
    webhook_port: Port = 0,
    *,
    strangers: Strangers = "",
    token_file: TokenFile = None,
    host: Annotated[
        str, typer.Option(help="Where to listen: nobody else's business, unless in containers.")
    ] = "127.0.0.1",
) -> None:
    """Fake providers on this machine until it is stopped; faults are switched over HTTP while they run."""
    words = [
        f"--host={host}",
        f"--imshop-port={imshop_port}",
        f"--bitrix-port={bitrix_port}",
        f"--onesignal-port={onesignal_port}",
    ]
    words += [f"--webhook-port={webhook_port}", f"--strangers={strangers}"]
    words += [f"--token-file={token_file}"] if token_file is not None else []
    asyncio.run(serve(options_of(words)))


def publish(  # noqa: PLR0913 - the options of a command, each with a name of its own
    bootstrap: Bootstrap = "127.0.0.1:9092",
    config: ConfigFile = None,
    rate: Rate = 5.0,
    seconds: Open = 60.0,
    seed: Seed = 1,
    *,
    olist: Olist = None,
    speed: Speed = 3600.0,
    day: Day = None,
    since: Since = None,
    until: Until = None,
    shift_to_now: Shift = True,
) -> None:
    """Publish sample events to shop.orders and shop.bonuses: of a lively shop, or real orders with --olist."""
    settings, now = _settings(bootstrap, config), datetime.now(UTC)
    if olist is None:
        if day or since or until:
            _refuse("--day, --from and --to belong to --olist")
        records: Iterable[Publication] = Shop(Random(seed), now, Pace(seconds, rate)).publications()  # noqa: S311
    else:
        orders = read_orders(olist)
        if isinstance(orders, Trouble):
            _refuse(orders.detail)
        records = publications(orders, _window(day, since, until, speed, now if shift_to_now else None))
    raise typer.Exit(_run(lambda stop: _publish(settings, records, stop)))


def _settings(bootstrap: str, config: Path | None) -> KafkaSettings:
    """The cluster of a configuration file, or the plain one at the address."""
    if config is None:
        return KafkaSettings(bootstrap)
    setup = load_setup(config, os.environ)
    if not isinstance(setup, Setup):
        _refuse("\n".join(str(problem) for problem in setup))
    if setup.config.kafka is None:
        _refuse(f"{config} has no kafka")
    return kafka_settings(setup)


def _window(
    day: datetime | None, since: datetime | None, until: datetime | None, speed: float, begin: datetime | None
) -> Window:
    """The days that were asked for, in the data's own zone; all of them when nobody said."""
    if day is not None:
        if since or until:
            _refuse("say --day, or --from and --to")
        since, until = day, day + timedelta(days=1)
    first = (since or datetime(2016, 9, 1)).replace(tzinfo=BRAZIL)  # noqa: DTZ001 - the zone follows
    last = (until or datetime(2019, 3, 1)).replace(tzinfo=BRAZIL)  # noqa: DTZ001
    if first >= last:
        _refuse("--from must be before --to")
    return Window(first, last, speed, begin)


def _refuse(what: str) -> NoReturn:
    typer.echo(what, err=True)
    raise typer.Exit(2)


def _run(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run it to its end; the first SIGINT or SIGTERM asks it to stop, a second one is obeyed at once."""

    async def main() -> int:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def hear(number: signal.Signals) -> None:
            stop.set()
            loop.remove_signal_handler(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, hear, number)
        return await work(stop)

    return asyncio.run(main())


async def _publish(settings: KafkaSettings, records: Iterable[Publication], stop: asyncio.Event) -> int:
    account = Account()
    async with Publisher(settings) as publisher:
        account.trouble = publisher.trouble
        if publisher.trouble is None:
            await publish_all(publisher, records, time.monotonic, stop, account)
    typer.echo(f"{len(account.sent)} records published, {account.poisoned} of them poisoned on purpose")
    if account.trouble is not None:
        typer.echo(f"stopped: {account.trouble.reason} {account.trouble.detail}", err=True)
        return 1
    return 0
