"""`vestnik topics`: make and check the topics that the lanes need."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    FINE,
    ConfigPath,
    Format,
    OutputFormat,
    brokers,
    load,
    partly,
)

if TYPE_CHECKING:
    from consumer.streams.settings import KafkaSettings
    from consumer.streams.topics import TopicSpec

topics_app = typer.Typer(help="The topics that the lanes need.", no_args_is_help=True)
Replicas = Annotated[int, typer.Option(min=1, max=9, help="How many brokers keep each record of ours.")]


@topics_app.command("create")
def topics_create(
    config: ConfigPath = DEFAULT_CONFIG, replicas: Replicas = 3, output: OutputFormat = Format.TABLE
) -> None:
    """Make the topics of ours that are missing. One that exists is left as it is."""
    import asyncio  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.streams import topics  # noqa: PLC0415

    settings, specs = _topics(config, replicas, output)
    problems = asyncio.run(topics.create(settings, specs))
    told.tell_topics(problems, "All topics of ours are there.", told.Output(output))
    wide = any(not problem.topic for problem in problems)
    raise typer.Exit(FAILED if wide else partly(len(problems), sum(spec.ours for spec in specs)))


@topics_app.command("check")
def topics_check(
    config: ConfigPath = DEFAULT_CONFIG,
    replicas: Replicas = 3,
    printed: Annotated[bool, typer.Option("--print", help="Print the commands that make them; ask no broker.")] = False,
    output: OutputFormat = Format.TABLE,
) -> None:
    """What is missing, or other than it should be."""
    import asyncio  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.streams import topics  # noqa: PLC0415

    settings, specs = _topics(config, replicas, output)
    if printed:
        typer.echo(topics.script(specs, settings.bootstrap), nl=False)
        return
    problems = asyncio.run(topics.check(settings, specs))
    told.tell_topics(problems, "All topics are there, and as they should be.", told.Output(output))
    raise typer.Exit(FAILED if problems else FINE)


def _topics(config: Path, replicas: int, output: Format) -> "tuple[KafkaSettings, list[TopicSpec]]":
    from consumer.app.wiring import wanted_topics  # noqa: PLC0415

    setup = load(config, output)
    return brokers(setup), wanted_topics(setup, replicas)
