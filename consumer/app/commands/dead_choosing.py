"""The options by which the commands of `vestnik dead` choose letters, declared once for all of them."""

import math
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumer.app.commands.completion import lanes
from consumer.app.commands.shared import USAGE, leave
from schemas.dead_letter import DeadReason

if TYPE_CHECKING:
    from consumer.core.redrive import Wanted

Reasons = Annotated[list[DeadReason] | None, typer.Option("--reason", help="Only these; may be repeated.")]
Lanes = Annotated[list[str] | None, typer.Option("--lane", help="Only of these lanes.", autocompletion=lanes)]
Routes = Annotated[list[str] | None, typer.Option("--route", help="Only of these routes.")]
Topics = Annotated[list[str] | None, typer.Option("--topic", help="Only of records of these source topics.")]
From = Annotated[str | None, typer.Option("--from", help="Died since then: a date, a time, or how long ago (2h).")]
To = Annotated[str | None, typer.Option("--to", help="Died before then, written the same way.")]


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """The command with these options before its own; what they ask for is its first parameter, `wanted`."""
    options = signature(chosen).parameters
    _, *own = signature(command).parameters.values()

    @wraps(command)
    def called(**words: Any) -> None:
        command(chosen(**{name: words.pop(name) for name in options}), **words)

    both = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in (*options.values(), *own)]
    # The command line is built from what a function says of its parameters.
    called.__signature__ = signature(command).replace(parameters=both)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in both}
    return called


def chosen(
    *,
    reason: Reasons = None,
    lane: Lanes = None,
    route: Routes = None,
    topic: Topics = None,
    since: From = None,
    until: To = None,
) -> "Wanted":
    """What is asked for. Letters of lanes and routes that are gone from the configuration can be asked for too."""
    from consumer.core.redrive import Wanted  # noqa: PLC0415

    reasons, lanes, routes, topics = (frozenset(map(str, some or ())) for some in (reason, lane, route, topic))
    first, last = _moment("--from", since, -math.inf), _moment("--to", until, math.inf)
    if first >= last:
        leave("--from is not before --to", USAGE)
    return Wanted(reasons, lanes, routes, topics, since=first, until=last)


def _moment(option: str, text: str | None, otherwise: float) -> float:
    from datetime import UTC, datetime  # noqa: PLC0415

    from consumer.app.moments import read_ago  # noqa: PLC0415

    if text is None:
        return otherwise
    moment = read_ago(text, datetime.now(UTC))
    if isinstance(moment, str):
        leave(f"{option}: {moment}", USAGE)
    return moment.timestamp()
