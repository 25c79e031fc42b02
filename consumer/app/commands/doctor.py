"""`vestnik doctor`: is everything there that the lanes need, and is it as it should be?"""

from typing import Annotated

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, ConfigPath, Format, OutputFormat, admin_ports, load
from consumer.app.commands.topics import Replicas


def doctor(
    config: ConfigPath = DEFAULT_CONFIG,
    replicas: Replicas = 3,
    output: OutputFormat = Format.TABLE,
    *,
    admin: Annotated[
        list[str] | None, typer.Option(help="Admin port of a process whose configuration to compare. May be repeated.")
    ] = None,
) -> None:
    """Is everything there that the lanes need: secrets, brokers, topics, rights, groups, providers, clocks?

    It only looks: nobody is told anything. 0: nothing failed; 1: something did; 3: something could not be looked at.
    """
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.app.doctor import Visit, diagnose  # noqa: PLC0415
    from consumer.app.doctor_row import exit_code  # noqa: PLC0415

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    visit = Visit(replicas, admin_ports(admin, "--admin"))
    rows = asyncio.run(diagnose(load(config, output), visit))
    told.tell_diagnosis(rows, told.Output(output))
    raise typer.Exit(exit_code(rows))
