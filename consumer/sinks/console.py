"""The terminal as a provider: one line for each request that would have gone out, with masked recipients."""

import sys
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from consumer.core.model import Batch, Blocked, Capacity, Delivered, Message, Verdicts
from consumer.sinks.base import Access, Account, Call, KeyAccount, Limits, Provider, SinkConfig, Surroundings
from consumer.sinks.http import NotSent, Reach, Reply

_SHOWN = 5


class ConsoleConfig(SinkConfig):
    """Print instead of send."""

    type: Literal["console"]
    recipients_per_request: int = Field(default=10_000, ge=1)


class Terminal:
    """Carries a call to standard output. A closed output answers 503."""

    def allow(self, url: str) -> None:
        """There is one terminal, and it is here."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Reply | NotSent:
        try:
            sys.stdout.write(body.decode() + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            return Reply(503)
        return Reply(200)

    async def close(self) -> None:
        """Nothing to let go: the output is the process's own."""


def limits(config: ConsoleConfig) -> Limits:
    return Limits(Capacity(1, config.recipients_per_request), timeout_seconds=5.0, in_flight=1)


def compose(config: ConsoleConfig, batch: Batch, access: Access) -> Call:
    recipients = list(dict.fromkeys(command.recipient for command in batch.commands))
    shown = " ".join(mask(recipient) for recipient in recipients[:_SHOWN])
    more = " …" if len(recipients) > _SHOWN else ""
    line = f"push {batch.id} to {len(recipients)} ({shown}{more}): {_line(batch.parcels[0].message)}"
    return Call("", line.encode("utf-8", "replace"))


def judge(config: ConsoleConfig, batch: Batch, reply: Reply) -> Verdicts:
    return (Delivered() if reply.status == 200 else Blocked("output_closed", "standard output cannot be written"),)


def mask(recipient: str) -> str:
    """The last two letters of a recipient, and nothing of a short one."""
    return f"…{recipient[-2:]}" if len(recipient) > 4 else "…"


def _line(message: Message) -> str:
    parts = (message.title, message.text, message.link, message.image)
    line = " | ".join(part for part in parts if part)
    # What a shop's texts carry must not steer a terminal or forge a second line.
    return "".join(letter if letter.isprintable() else " " for letter in line)


def _account(config: ConsoleConfig, surroundings: Surroundings) -> Account:
    return KeyAccount(None, surroundings.read_secret)


def _transport(config: ConsoleConfig, reach: Reach) -> Terminal:
    return Terminal()


PROVIDER = Provider(
    name="console",
    config=ConsoleConfig,
    limits=limits,
    compose=compose,
    judge=judge,
    account=_account,
    transport=_transport,
    answers=(("written", "Delivered"), ("standard output is closed", "Blocked (`output_closed`)")),
)
