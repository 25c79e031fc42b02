"""Records that no consumer can read as an event, each broken in a way that real producers have managed."""

from collections.abc import Callable

from consumer.demo.events import Document, encode

Spoil = Callable[[Document], bytes]


def cut_json(event: Document) -> bytes:
    """A producer that died while it wrote: the document ends in the middle."""
    return encode({**event, "customer": {"id": "1"}})[:-7]


def not_json(_event: Document) -> bytes:
    return b"<xml><order id='1'/></xml>"


def wrong_schema(event: Document) -> bytes:
    """The part that the type promises is missing."""
    return encode({name: value for name, value in event.items() if name not in ("order", "bonus")})


def not_a_number(event: Document) -> bytes:
    """`NaN` where money should stand: Python's and JavaScript's producers write it, JSON does not know it."""
    part = "order" if "order" in event else "bonus"
    body = encode({**event, part: "@"})
    return body.replace(b'"@"', b'{"id":"1","amount":NaN,"total":NaN}')


def unknown_version(event: Document) -> bytes:
    """A producer that is one major version ahead."""
    return encode({**event, "version": 9})


def cut_utf8(event: Document) -> bytes:
    """A byte limit somewhere on the way that fell into the middle of a Cyrillic letter, and a patched-up end."""
    body = encode({**event, "note": "хвост Ж"})
    return body[: body.rindex("Ж".encode()) + 1] + b'"}'


def too_deep(event: Document) -> bytes:
    """Somebody's attack, or somebody's bug: a value nested in itself."""
    body = encode({**event, "note": "@"})
    return body.replace(b'"@"', b'{"a":' * 100 + b"1" + b"}" * 100)


def twice_the_key(event: Document) -> bytes:
    """Two amounts in one event: each reader would believe another one."""
    return encode(event)[:-1] + b',"version":1}'


_ALL: tuple[Spoil, ...] = (
    cut_json,
    wrong_schema,
    not_a_number,
    unknown_version,
    cut_utf8,
    not_json,
    too_deep,
    twice_the_key,
)
SPOILS: dict[str, Spoil] = {getattr(spoil, "__name__", ""): spoil for spoil in _ALL}
