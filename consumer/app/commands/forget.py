"""`vestnik forget`: tell somebody nothing any more, and say what is left of them where, and until when."""

from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    FINE,
    PARTLY,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    leave,
    load,
)

if TYPE_CHECKING:
    from consumer.app.forgetting import Forgotten

REASON_LENGTH = 200
HEADINGS = ("place", "whose", "what is there", "how it goes")


def forget(
    customer: Annotated[
        list[str], typer.Argument(help="All their names, as lanes know them: customer id, phone with +, install id.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
    *,
    reason: Annotated[str, typer.Option(help="Why, for people; nothing personal.")] = "",
    letters: Annotated[bool, typer.Option("--letters", help="Say which dead letters name them.")] = False,
) -> None:
    """Tell a customer nothing any more: what waits for them ends, nothing new is sent. And what is left of them where.

    3: they are on the list, and something else could not be looked at.
    """
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415

    from consumer.app.forgetting import forget as forgotten  # noqa: PLC0415

    if len(reason) > REASON_LENGTH:
        leave(f"the reason has more than {REASON_LENGTH} characters", USAGE)
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    found = asyncio.run(forgotten(load(config, output), customer, reason, letters=letters))
    if isinstance(found, str):
        leave(f"nothing was done: {found}", FAILED)
    _tell(found, output)
    raise typer.Exit(PARTLY if found.troubles else FINE)


def _tell(found: "Forgotten", output: Format) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415

    if output is Format.JSON:
        told.as_json(asdict(found))
        return
    told.say(
        f"On the list, everywhere and for good: {', '.join(found.recipients)}. What waits or is parked for them ends as"
        " suppressed: within a second where a lane runs, else when it starts. What is on its way cannot be called back."
    )
    told.say("What is left of them:")
    told.tell_columns([HEADINGS, *((each.place, each.whose, each.what, each.goes) for each in found.remains)])
    if found.letters is not None:
        told.say(
            f"{len(found.letters)} dead letters name them; none can be taken out, each goes with its topic's retention."
        )
        for letter in found.letters:
            until = letter.until or "nobody knows when"
            told.say(f"  {letter.position}  {letter.lane}  {letter.reason}  {letter.written_at}, goes {until}")
    for trouble in found.troubles:
        told.complain(trouble)
