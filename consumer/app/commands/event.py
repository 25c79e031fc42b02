"""`vestnik event`: for those who publish events, and for those who write routes for them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.event_list import event_list
from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    brokers,
    leave,
    load,
    partly,
)

if TYPE_CHECKING:
    from consumer.app.validating import Piece, Verdict
    from consumer.core.formats import Formats

# What a lane takes when its configuration says nothing else.
EVENT_BYTES = 256 * 1024

event_app = typer.Typer(help="Events, for those who publish them and who write routes for them.", no_args_is_help=True)
event_app.command("list")(event_list)


@event_app.command("validate")
def event_validate(
    sources: Annotated[
        list[str],
        typer.Argument(help="Files with an event each, or one a line; - is standard input; or topic:partition:offset."),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    bytes_limit: Annotated[int, typer.Option("--bytes", min=1, help="How large an event may be.")] = EVENT_BYTES,
    topic: Annotated[
        str, typer.Option(help="Read files as this source's records: its format, its mapping, own event types.")
    ] = "",
    output: OutputFormat = Format.TABLE,
) -> None:
    """Would a lane take these events? Each mistake with its place. 0: all are sound; 1: none is; 3: some."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.validating import judged  # noqa: PLC0415

    verdicts: list[Verdict] = []
    for source in sources:
        formats = _formats(source, topic, config, output)
        verdicts += [judged(piece, bytes_limit, formats, topic) for piece in _pieces(source, config, output)]
    if output is Format.JSON:
        told.as_json([_document(verdict) for verdict in verdicts])
    else:
        _tell(verdicts)
    raise typer.Exit(partly(sum(not verdict.sound for verdict in verdicts), len(verdicts)))


def _formats(source: str, topic: str, config: Path, output: Format) -> "Formats":
    """Those of the configuration, for records of a topic and for files that are read as such."""
    from consumer.app.validating import position_of  # noqa: PLC0415
    from consumer.core.formats import PLAIN  # noqa: PLC0415
    from consumer.core.templates import nearest  # noqa: PLC0415

    if not topic and position_of(source) is None:
        return PLAIN
    setup = load(config, output)
    known = setup.config.topics.sources
    if topic and topic not in known:
        leave(f'"{topic}" is not one of the sources; {nearest(topic, list(known))}', USAGE)
    return setup.sources.formats


def _pieces(source: str, config: Path, output: Format) -> "list[Piece]":
    from consumer.app.validating import FILE_BYTES, pieces, position_of  # noqa: PLC0415

    if source == "-":
        return pieces("standard input", sys.stdin.buffer.read(FILE_BYTES))
    position = position_of(source)
    if position is not None:
        import asyncio  # noqa: PLC0415

        from consumer.app.validating import fetched  # noqa: PLC0415
        from consumer.core.model import Trouble  # noqa: PLC0415

        setup = load(config, output)
        found = asyncio.run(fetched(brokers(setup), position, setup.sources))
        if isinstance(found, Trouble):
            leave(f"{source} cannot be read: {found.reason} {found.detail}".strip(), 1)
        return [found]
    try:
        return pieces(source, Path(source).read_bytes())
    except OSError as error:
        leave(f"{source} cannot be read: {error.strerror}", USAGE)


def _document(verdict: "Verdict") -> dict[str, object]:
    faults = [{"place": fault.place, "what": fault.what} for fault in verdict.faults]
    return {
        "source": verdict.name,
        "type": verdict.event_type,
        "sound": verdict.sound,
        "reason": verdict.reason,
        "faults": faults,
    }


def _tell(verdicts: "list[Verdict]") -> None:
    from consumer.app import told  # noqa: PLC0415

    for verdict in verdicts:
        if verdict.sound:
            told.say(f"{verdict.name}: {verdict.event_type}, sound")
        for fault in verdict.faults:
            place = f"{fault.place} " if fault.place else ""
            told.say(f"{verdict.name}: {verdict.reason}: {place}{fault.what}")
    unsound = sum(not verdict.sound for verdict in verdicts)
    if len(verdicts) > 1:
        told.say(f"{len(verdicts)} events, {unsound} that lanes would not take")
