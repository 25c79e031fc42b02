"""What every command shares: its options, its exit codes, how it loads the configuration and how it leaves.

Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 partly done.
"""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from consumer.app.setup import Setup
    from consumer.core.document import Problem
    from consumer.streams.settings import KafkaSettings

FINE, FAILED, USAGE, PARTLY = 0, 1, 2, 3


class Format(StrEnum):
    """How a command prints."""

    TABLE = "table"
    JSON = "json"


ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", envvar="VESTNIK_CONFIG", help="The configuration.", dir_okay=True)
]
OutputFormat = Annotated[Format, typer.Option("--output", "-o", help="For people, or for machines.")]
DEFAULT_CONFIG = Path("vestnik.yaml")


def load(config: Path, output: Format, lines: tuple[str, str] | None = None, *, keys: bool = True) -> "Setup":
    """The setup, or the end of the command with every mistake told. `keys`: warn of secrets that are not here."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.setup import Mistakes, load_setup  # noqa: PLC0415

    setup = load_setup(config / "vestnik.yaml" if config.is_dir() else config, os.environ, lines, keys=keys)
    if isinstance(setup, list):
        warnings = setup.warnings if isinstance(setup, Mistakes) else ()
        told.tell_problems(setup, told.Output(output), warnings)
        raise typer.Exit(USAGE)
    return setup


def load_to_show(config: Path, output: Format) -> "tuple[Setup, list[Problem]]":
    """The setup, and the examples of which something else comes than they expect; the end of the command with any
    other mistake."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.setup import Mistakes, load_setup  # noqa: PLC0415

    found = load_setup(config / "vestnik.yaml" if config.is_dir() else config, os.environ)
    if isinstance(found, Mistakes) and found.setup is not None:
        return found.setup, found
    if isinstance(found, list):
        told.tell_problems(found, told.Output(output), found.warnings if isinstance(found, Mistakes) else ())
        raise typer.Exit(USAGE)
    return found, []


def brokers(setup: "Setup") -> "KafkaSettings":
    """The brokers of the setup, or the end of the command; the library's own words about them are kept quiet."""
    import logging  # noqa: PLC0415

    from consumer.app.wiring import kafka_settings  # noqa: PLC0415

    # What the library says of a broker that is not there, our own line says better.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    if setup.config.kafka is None:
        leave("the configuration has no kafka, so that there are no topics", USAGE)
    return kafka_settings(setup)


def known_lanes(setup: "Setup", asked: Sequence[str] | None) -> list[str]:
    """Those that are asked for, or all, and of a shared one its shares; the end of the command where one is not
    there."""
    from consumer.core.templates import nearest  # noqa: PLC0415

    config = setup.config
    for name in asked or ():
        if not config.named(name):
            leave(f'unknown lane "{name}"; {nearest(name, list(config.lanes))}', USAGE)
    return list(dict.fromkeys(share for name in asked or config.lanes for share in config.named(name)))


def admin_ports(urls: Sequence[str] | None, option: str = "--url") -> list[str]:
    """Where processes are asked; the end of the command where an address is none."""
    from consumer.app.asking import Unfit, checked_address  # noqa: PLC0415

    found: list[str] = []
    for url in urls or ():
        address = checked_address(url)
        if isinstance(address, Unfit):
            leave(address.why.replace("--url", option), USAGE)
        found.append(address)
    return found


def admin_ports_or_own(setup: "Setup", urls: Sequence[str] | None) -> list[str]:
    """The same, and where none is said, the port that the configuration names, if it names one."""
    from consumer.app.asking import admin_address  # noqa: PLC0415

    own = admin_address(setup)
    return admin_ports(urls) if urls or own is None else [own]


def partly(failures: int, total: int) -> int:
    """The exit code after so many failures out of a total."""
    if failures == 0:
        return FINE
    return FAILED if failures >= total else PARTLY


def leave(words: str, code: int) -> NoReturn:
    """End the command with a sentence on standard error."""
    typer.echo(words, err=True)
    raise typer.Exit(code)
