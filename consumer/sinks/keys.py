"""The key by which a provider knows a request again."""

import uuid

from consumer.core.model import Batch

_NAMESPACE = uuid.UUID("6f0d5c52-6a5e-5c0b-9d43-0c3f0f1b7a11")


def request_key(account: str, batch: Batch) -> str:
    """From the account, the attempt and its commands, so that the very same request has the very same key.

    The attempt alone would not do: a lane whose journal was made anew counts its attempts from the beginning again, and
    providers remember keys for weeks.
    """
    commands = b"".join(command.id for command in batch.commands).hex()
    return str(uuid.uuid5(_NAMESPACE, f"{account}/{batch.id}/{commands}"))
