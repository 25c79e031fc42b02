"""Commands as the journal writes them: one list a property."""

from collections.abc import Iterable, Sequence

from consumer.core.model import Command, Position
from schemas.journal import Columns


def columns_of(commands: Sequence[Command], places: Iterable[Iterable[Position]], *, quiets: bool = False) -> Columns:
    """All that a record says of its commands. `places`: the records that asked for each; `quiets`: with their quiet
    hours, where anybody has some."""
    nights: list[tuple[int, int, str, bool] | None] = [command.quiet for command in commands] if quiets else []
    return Columns(
        ids=[command.id.hex() for command in commands],
        digests=[command.digest.hex() for command in commands],
        routes=[command.terms.route for command in commands],
        recipients=[command.recipient for command in commands],
        threads=[None if command.thread is None else command.thread.to_bytes(8).hex() for command in commands],
        ranks=[command.rank for command in commands],
        arrived=[command.arrived for command in commands],
        deadlines=[command.deadline for command in commands],
        positions=[list(each) for each in places],
        quiets=nights if any(nights) else [],
    )
