"""What a Bitrix24 portal is asked to push: one line for each different text, with the users who are told it."""

import ipaddress
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote_plus

from consumer.core.model import Batch, Command, Deferred, Message, Refused
from consumer.sinks.http import origin_of
from consumer.sinks.texts import one_line

METHOD = "pull.application.push.add"
LINES_LIMIT = 50
# Of title and text in one line: a push of Bitrix24 has no title.
TEXT_LIMIT_BYTES = 1000
URL_LIMIT = 2048
# PHP reads no more than a thousand fields of one query, and drops the rest without a word.
USERS_LIMIT = 900

# Inside a batch the portal puts earlier results in the place of these, also where they stand in a text.
REFERENCES = ("$result[", "$error[", "$total[", "$next[", "$time[")

STRAY = Refused("recipient", "a recipient here is a portal user's number")
TEXTLESS = Refused("text_empty", "the portal takes neither an empty text nor the text 0")
ALONE = Deferred("goes_alone", 0.0)


class Line(NamedTuple):
    """One push: a text, perhaps a picture, and who is told."""

    text: str
    avatar: str
    users: tuple[int, ...]

    @property
    def refers(self) -> bool:
        """Whether a batch would change it."""
        said = f"{self.text} {self.avatar}".lower()
        return any(word in said for word in REFERENCES)

    @property
    def query(self) -> str:
        """The push as one command of a batch, with everything encoded that a query would cut or change."""
        fields = [("TEXT", self.text)]
        if self.avatar:
            fields.append(("AVATAR", self.avatar))
        fields.extend((f"USER_ID[{index}]", str(user)) for index, user in enumerate(self.users))
        return f"{METHOD}?" + "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields)


class Lines(NamedTuple):
    """What a request carries, and for each command of the batch the number of its line, or why it is in none."""

    lines: tuple[Line, ...]
    places: tuple[int | Refused | Deferred, ...]


def lines_of(batch: Batch, users_per_line: int, avatar_hosts: Sequence[str]) -> Lines:
    """The batch in lines. Equal texts share one, as the portal would make one push of them anyway; whoever is told the
    same twice is told once; a text that a batch would change stays out unless it is alone."""
    users: dict[tuple[str, str], dict[int, int]] = {}
    keys = [_key(parcel.message, avatar_hosts) for parcel in batch.parcels for _ in parcel.commands]
    for key, command in zip(keys, batch.commands, strict=True):
        user = user_id(command)
        if user is not None and key[0] not in ("", "0"):
            told = users.setdefault(key, {})
            told.setdefault(user, len(told))
    lines, starts = _cut(users, users_per_line)
    kept = _kept(lines)
    numbers = {index: number for number, index in enumerate(kept)}
    places: list[int | Refused | Deferred] = []
    for key, command in zip(keys, batch.commands, strict=True):
        user = user_id(command)
        if key[0] in ("", "0"):
            places.append(TEXTLESS)
        elif user is None:
            places.append(STRAY)
        else:
            places.append(numbers.get(starts[key] + users[key][user] // users_per_line, ALONE))
    return Lines(tuple(lines[index] for index in kept), tuple(places))


def _key(message: Message, avatar_hosts: Sequence[str]) -> tuple[str, str]:
    image = message.image
    return clip(one_line(message), TEXT_LIMIT_BYTES), image if image and is_avatar(image, avatar_hosts) else ""


def _cut(
    users: dict[tuple[str, str], dict[int, int]], users_per_line: int
) -> tuple[list[Line], dict[tuple[str, str], int]]:
    """Lines of at most so many users, and where those of each text begin."""
    lines: list[Line] = []
    starts: dict[tuple[str, str], int] = {}
    for (text, avatar), told in users.items():
        starts[text, avatar] = len(lines)
        ids = tuple(told)
        lines.extend(
            Line(text, avatar, ids[start : start + users_per_line]) for start in range(0, len(ids), users_per_line)
        )
    return lines, starts


def _kept(lines: Sequence[Line]) -> list[int]:
    """Which lines may stand in one request together. The outbox sends texts that go alone alone; this is the net."""
    if len(lines) <= 1:
        return list(range(len(lines)))
    return [index for index, line in enumerate(lines) if not line.refers][:LINES_LIMIT] or [0]


def user_id(command: Command) -> int | None:
    """The portal user's number; None for anything else."""
    text = command.recipient
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0 else None


# --- texts and pictures -----------------------------------------------------------------------------------------------


def clip(text: str, limit_bytes: int) -> str:
    """The longest beginning that fits with an ellipsis, never cut within what is read as one letter."""
    encoded = text.encode("utf-8", "replace")
    text = encoded.decode()
    if len(encoded) <= limit_bytes:
        return text
    kept = encoded[: limit_bytes - len("…".encode())].decode("utf-8", "ignore")
    end = len(kept)
    while end and (_joins_back(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    # One letter with a thousand marks on it is no letter; then a code point must do.
    return (text[:end] or kept).rstrip() + "…"


def _joins_back(letter: str) -> bool:
    """Whether a code point belongs to the one before it: marks, joiners, variation selectors, skin tones."""
    return (
        unicodedata.category(letter) in ("Mn", "Me", "Mc")
        or letter == "\u200d"
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )


def is_avatar(url: str, hosts: Sequence[str]) -> bool:
    """Whether phones may be told to fetch this picture: https, a host on the list, no address in figures."""
    origin = origin_of(url)
    if origin is None or len(url) > URL_LIMIT or origin.scheme != "https" or origin.port != 443:
        return False
    return origin.host in hosts and not _is_address(origin.host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
