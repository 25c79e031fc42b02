"""Texts in one canonical form, links that may be opened, and phone numbers: what leaves the house is clean.

Two texts that look alike are equal after `canonical`, so that they share a request; nothing that hides, turns around or
imitates text gets through.
"""

import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import quote, urlsplit

LINK_CHARACTERS = 2048

_NO_BREAK_SPACE = "\u00a0"
# Space of any kind and the controls that stand for it. What is left of C0 and C1 is dropped.
_SPACES = re.compile("[\t-\r\x1c-\x20\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2800\u3000]+")
_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\uffff\ud800-\udfff"
    "\U000e0000-\U000e0fff"
)
_PICTURE = "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]"
# A joiner or a tag is kept where it makes one picture out of several: families, professions, flags of regions.
_DROPPED = re.compile(
    f"(?P<joined>{_PICTURE}[\ufe0f\U0001f3fb-\U0001f3ff]?\u200d(?={_PICTURE}))"
    f"|(?P<flag>\U0001f3f4[\U000e0061-\U000e007a]+\U000e007f)"
    f"|[{_INVISIBLE}]"
)
_PLAIN = re.compile(
    "[\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u0400-\u0482\u048a-\u04ff\u2010-\u2027\u2030-\u205e\u20a0-\u20cf]*"
)
_MARKS = "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILED_MARKS = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")


def canonical(text: str) -> str:
    """NFC; no controls, surrogates, direction overrides or zero-width characters; spaces folded to one, trimmed.

    A no-break space stays one where it stands alone. Joiners stay inside pictures that are made of several.
    """
    if _PLAIN.fullmatch(text):
        # Of all spaces there are only these two in it, and nearly always each stands alone.
        return (_SPACES.sub(_folded, text) if _has_run(text) else text).strip(" \u00a0")
    text = _DROPPED.sub(_kept, text)
    text = unicodedata.normalize("NFC", _PILED_MARKS.sub(r"\1", text))
    return _SPACES.sub(_folded, text).strip(" \u00a0")


def _has_run(text: str) -> bool:
    """Whether spaces stand beside each other. Four searches cost a tenth of one regular expression."""
    return "  " in text or "\u00a0 " in text or " \u00a0" in text or "\u00a0\u00a0" in text


def _kept(match: re.Match[str]) -> str:
    return match[0] if match["joined"] or match["flag"] else ""


def _folded(match: re.Match[str]) -> str:
    return _NO_BREAK_SPACE if match[0] in ("\u00a0", "\u202f") else " "


def shorten(text: str, characters: int) -> str:
    """At most so many characters, cut after a word where one ends in the second half, with an ellipsis.

    Never cuts between a letter and its marks or inside a picture made of several.
    """
    text = canonical(text)
    if len(text) <= characters:
        return text
    end = max(characters - 1, 0)
    while end > 0 and _sticks(text, end):
        end -= 1
    cut = text[:end]
    space = max(cut.rfind(" "), cut.rfind(_NO_BREAK_SPACE))
    if text[end] not in " \u00a0" and space >= end // 2:
        cut = cut[:space]
    return cut.rstrip(" \u00a0,.;:-–—") + "…"


def _sticks(text: str, index: int) -> bool:
    """The character belongs to the one before it."""
    here, before = text[index], text[index - 1]
    return bool(
        unicodedata.combining(here)
        or here in "\u200d\ufe0e\ufe0f"
        or "\U0001f3fb" <= here <= "\U0001f3ff"
        or "\U000e0020" <= here <= "\U000e007f"
        or before == "\u200d"
        or ("\U0001f1e6" <= here <= "\U0001f1ff" and _odd_flag(text, index))
    )


def _odd_flag(text: str, index: int) -> bool:
    """The letter is the second of a flag's two."""
    start = index
    while start > 0 and "\U0001f1e6" <= text[start - 1] <= "\U0001f1ff":
        start -= 1
    return (index - start) % 2 == 1


# --- links ------------------------------------------------------------------------------------------------------------

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_NOT_IN_LINKS = re.compile(r"[\x00-\x20\x7f-\x9f\\\"<>^`{|}\u00a0\u2028\u2029\ud800-\udfff]")
# A link into an app in characters that nothing is done to: all the checks below pass it as it is.
_APP_LINK = re.compile(r"([a-z][a-z0-9+.-]*)://[A-Za-z0-9._~/-]*")
NEVER_SCHEMES = frozenset(
    {"about", "blob", "content", "data", "file", "filesystem", "ftp", "http", "intent", "javascript", "sms", "tel"}
    | {"vbscript", "view-source", "ws", "wss"}
)


def link_scheme(text: str) -> str | None:
    """The scheme that a text begins with, in lower case."""
    match = _SCHEME.match(text)
    return match[1].lower() if match else None


class LinkRule(NamedTuple):
    """What a link may begin with, and which hosts one by https may lead to, with all below them; None is any name."""

    schemes: frozenset[str]
    hosts: frozenset[str] | None = None


def clean_link(text: str, schemes: Collection[str], hosts: Collection[str] | None = None) -> str | None:
    """The link in ASCII, or None where it must not be opened: another scheme or host, user name, address, spaces,
    length."""
    plain = _APP_LINK.fullmatch(text)
    if plain and len(text) <= LINK_CHARACTERS and plain[1] not in NEVER_SCHEMES and plain[1] != "https":
        return text if plain[1] in schemes else None
    text = unicodedata.normalize("NFC", text.strip())
    if len(text) > LINK_CHARACTERS or _NOT_IN_LINKS.search(text):
        return None
    scheme = link_scheme(text)
    if scheme is None or scheme in NEVER_SCHEMES or scheme not in schemes or not _safe_host(text, scheme):
        return None
    if scheme == "https" and hosts is not None and not _is_below(urlsplit(text).hostname or "", hosts):
        return None
    link = quote(text, safe=":/?#[]@!$&'()*+,;=-._~%")
    return link if len(link) <= LINK_CHARACTERS else None


def _safe_host(text: str, scheme: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or "[" in parts.netloc or not parts.netloc.isascii() or port == 0:
        return False
    return scheme != "https" or _is_name(parts.hostname or "")


def _is_below(host: str, hosts: Collection[str]) -> bool:
    """Whether a host is one of these, or a name under one of them."""
    labels = host.rstrip(".").split(".")
    return any(".".join(labels[start:]) in hosts for start in range(len(labels)))


def _is_name(host: str) -> bool:
    """A name with a domain; no address, in none of the shapes that resolvers take for one: `127.1`, `0x7f.1`."""
    _, dot, last = host.rstrip(".").rpartition(".")
    return bool(dot) and not last.isdigit() and not last.startswith("0x")


# --- phones -----------------------------------------------------------------------------------------------------------

_PHONE_MARKS = re.compile("[\\s().\\-/\u00a0\u2010-\u2015]+")
_PHONE = re.compile(r"(\+|00)?([0-9]{8,15})")


def canonical_phone(text: str) -> str | None:
    """Digits only, as providers want them, or None for what is no phone number.

    11 digits from 8 and 10 from 9 are Russian numbers written at home. Another country's number counts only with its
    `+` or `00`: without it nobody can tell it from a typing mistake.
    """
    match = _PHONE.fullmatch(_PHONE_MARKS.sub("", text))
    if match is None:
        return None
    digits = match[2]
    if match[1]:
        return _international(digits)
    if len(digits) == 11 and digits[0] in "78":
        return "7" + digits[1:]
    return "7" + digits if len(digits) == 10 and digits[0] == "9" else None


def _international(digits: str) -> str | None:
    if digits[0] == "0":
        return None
    # No country has a code that begins with 89: it is a Russian number after a wrong plus sign.
    return "7" + digits[1:] if len(digits) == 11 and digits.startswith("89") else digits


def written_recipient(entry: str) -> str:
    """A recipient as people write one: what begins with `+` is a phone, however it is written; any other stands."""
    return (canonical_phone(entry) or entry) if entry.startswith("+") else entry
