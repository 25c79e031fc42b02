"""`vestnik doctor`: is everything there that the lanes need, and is it as it should be?"""

import typer

from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    FINE,
    ConfigPath,
    Format,
    OutputFormat,
    load,
)
from consumer.app.commands.topics import Replicas


def doctor(
    config: ConfigPath = DEFAULT_CONFIG,
    replicas: Replicas = 3,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Is everything there that the lanes need: secrets, brokers, topics, providers? Nobody is told anything."""
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.app.doctor import diagnose  # noqa: PLC0415

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    rows = asyncio.run(diagnose(load(config, output), replicas))
    told.tell_diagnosis(rows, told.Output(output))
    raise typer.Exit(FAILED if any(row.state == "failed" for row in rows) else FINE)
