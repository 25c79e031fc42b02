"""`vestnik event list`: which events there are, and what is in one, for those who write routes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, USAGE, ConfigPath, Format, OutputFormat, leave

if TYPE_CHECKING:
    from consumer.app.event_table import EventRow, FieldRow, Known

EXAMPLE_LETTERS = 40


def event_list(
    event_type: Annotated[str, typer.Argument(metavar="[TYPE]", help="One event: its fields, with examples.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Which events are there, and which routes are for each? With TYPE: its fields, which of them may be empty, and an
    example of each.

    Works without a configuration too; with one it knows its own events (`own_events`) and routes."""
    known = _known(config, output)
    if event_type:
        _tell_event(known, event_type, output)
    else:
        _tell_events(known, output)


def _known(config: Path, output: Format) -> "Known":
    """What the folder knows, or the end of the command. A folder without a configuration is none to complain of, but
    where one was named."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.event_table import known_events  # noqa: PLC0415

    file = config / "vestnik.yaml" if config.is_dir() else config
    known = known_events(None if config == DEFAULT_CONFIG and not config.exists() else file)
    if isinstance(known, list):
        told.tell_problems(known, told.Output(output))
        raise typer.Exit(USAGE)
    for problem in known.problems:
        told.complain(str(problem))
    return known


def _tell_events(known: "Known", output: Format) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.app.event_table import event_rows  # noqa: PLC0415

    rows = event_rows(known)
    if output is Format.JSON:
        told.as_json([asdict(row) for row in rows])
        return
    told.tell_columns([("event", "what it means", "routes"), *map(_event_cells, rows)])
    told.say("The fields of one: vestnik event list TYPE")


def _event_cells(row: "EventRow") -> tuple[str, str, str]:
    return row.type, row.meaning, _routes(row)


def _routes(row: "EventRow") -> str:
    return ", ".join([*row.routes, *(f"{route} (off)" for route in row.off)]) or "-"


def _tell_event(known: "Known", name: str, output: Format) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.app.event_table import event_row, field_rows  # noqa: PLC0415
    from consumer.core.templates import nearest  # noqa: PLC0415

    if name not in known.types.models:
        leave(f'there is no event "{name}"; {nearest(name, list(known.types.models))}', USAGE)
    row, fields = event_row(known, name), field_rows(known, name)
    if output is Format.JSON:
        told.as_json({**asdict(row), "fields": [asdict(each) for each in fields]})
        return
    told.say(f"{name}: {row.meaning}".rstrip(": "))
    told.say(f"Routes: {_routes(row)}")
    told.tell_columns([("field", "type", "may be empty", "example", "allowed"), *map(_field_cells, fields)])
    told.say("A text names a field as it stands here; in conditions order.total is event.order.total.")


def _field_cells(row: "FieldRow") -> tuple[str, ...]:
    example = "" if row.example is None else _spelt(row.example)
    if len(example) > EXAMPLE_LETTERS:
        example = example[: EXAMPLE_LETTERS - 1] + "…"
    allowed = ", ".join(_spelt(value) for value in row.allowed)
    return row.path, row.type, "may be empty" if row.may_be_empty else "", example, allowed


def _spelt(value: Any) -> str:
    """As a condition would write it, but without quotes around a text."""
    import json  # noqa: PLC0415

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
