"""A message that a person sends through a lane: `vestnik send` writes it, the lane's owner plans it like any other.

It comes by the lane's own backfill topic and is known by a header; a shop's topic cannot carry one.
"""

from hashlib import blake2b

from pydantic import Field, ValidationError

from consumer.core.document import Strict
from consumer.core.model import Command, Message, OnUnsure, Priority, Record, Rejected, Rejection, Terms
from consumer.core.templates import TEXT_BYTES
from consumer.core.text import NEVER_SCHEMES, canonical, clean_link, link_scheme

HEADER = "vestnik-send"
ROUTE = "send"
EVENT_TYPE = "send"
DELIVER_WITHIN_SECONDS = 300.0

# Low weight, its own text whatever waits beside it, and never told twice: somebody is looking at the phone.
_TERMS = Terms(ROUTE, Priority.LOW, DELIVER_WITHIN_SECONDS, OnUnsure.STOP, unique=(True,), ladder=False)


class Sending(Strict):
    """One message to one recipient. `id` is its own: the same id is told once."""

    id: str = Field(min_length=8, max_length=64)
    recipient: str = Field(min_length=1, max_length=128)
    title: str = Field(default="", max_length=200)
    text: str = Field(min_length=1, max_length=TEXT_BYTES)
    link: str | None = Field(default=None, max_length=2048)
    image: str | None = Field(default=None, max_length=2048)
    ttl_seconds: float = Field(default=3600.0, gt=0, le=86_400.0)

    def to_record(self) -> tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]:
        """Key, value and headers of its record."""
        return self.recipient.encode(), self.model_dump_json().encode(), ((HEADER, b"1"),)


def is_sending(record: Record, backfill: str) -> bool:
    """Whether a record of the lane's backfill topic is a message of a person."""
    return bool(backfill) and record.position.topic == backfill and any(name == HEADER for name, _ in record.headers)


def sending_of(record: Record, lane: str, memory_seconds: float) -> Command | Rejected:
    """The command that it asks for. Texts are cleaned as those of routes are; a link that must not be opened is a
    mistake of the sender's."""
    try:
        sending = Sending.model_validate_json(record.value or b"")
    except ValidationError as error:
        return _rejected(record, "; ".join(".".join(map(str, each["loc"])) for each in error.errors()[:5]))
    message = _message(sending)
    if message is None:
        return _rejected(record, "link")
    value = record.value or b""
    return Command(
        id=blake2b(f"{lane}/{sending.id}/{sending.recipient}".encode(), digest_size=12, person=b"send").digest(),
        digest=blake2b(value, digest_size=4).digest(),
        terms=_TERMS,
        recipient=sending.recipient,
        wordings=(message,),
        thread=None,
        rank=0,
        arrived=record.timestamp,
        deadline=record.timestamp + min(sending.ttl_seconds, memory_seconds),
        source=record.position.topic,
    )


def _message(sending: Sending) -> Message | None:
    links = [_link(link) for link in (sending.link, sending.image) if link is not None]
    text = canonical(sending.text)
    if None in links or not text:
        return None
    link, image = (None if part is None else _link(part) for part in (sending.link, sending.image))
    return Message(canonical(sending.title), text, link, image)


def _link(text: str) -> str | None:
    """People send to any app's scheme, and to none that runs or reads something."""
    scheme = link_scheme(text)
    return None if scheme is None or scheme in NEVER_SCHEMES else clean_link(text, {scheme})


def _rejected(record: Record, fields: str) -> Rejected:
    name = "/".join(map(str, record.position))
    return Rejected(Rejection(name, "schema", f"not a message of vestnik send: {fields}"))
