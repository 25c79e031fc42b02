"""What of a recipient or of a foreign text may be shown to people."""

import re

TEXT_LIMIT = 1024

# Seven digits in a row, or eleven with what people put into phone numbers; dates and addresses stay readable.
_LONG_DIGITS = re.compile(r"\d{7,}|\d(?:[\s()-]{0,2}\d){10,}")


def masked(recipient: str) -> str:
    """The last two digits and nothing else: enough to recognise one's own test phone, too little to call somebody."""
    tail = recipient[-2:]
    return f"**{tail}" if len(recipient) > 4 and tail.isascii() and tail.isdigit() else "**"


def clipped(text: str) -> str:
    """A foreign text made fit for a log line: no phones, no line breaks or escapes, at most a kilobyte."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    scrubbed = _LONG_DIGITS.sub(lambda match: masked(match[0]), printable)
    return scrubbed if len(scrubbed) <= TEXT_LIMIT else scrubbed[:TEXT_LIMIT] + "…"
