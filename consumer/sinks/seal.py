"""Seals what lies in a topic, so that who may read the topic learns nothing: AES-256-GCM, with keys that can change.

The library for it is the optional extra `tokens`, so that it is imported only where something is sealed or opened.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.util import find_spec

SECRET_BYTES_LEAST = 32
_VERSION = b"v1"
_NAME_BYTES = 8
_NONCE_BYTES = 12
_HEAD_BYTES = len(_VERSION) + _NAME_BYTES + _NONCE_BYTES


def can_seal() -> bool:
    """Whether the extra is installed."""
    return find_spec("cryptography") is not None


@dataclass(frozen=True, slots=True)
class Key:
    """A key made of a secret of at least 32 characters, and the name under which sealed bytes mention it."""

    material: bytes = field(repr=False)
    name: bytes


def key_of(secret: str) -> Key | None:
    """The key of a secret; None of one that is too short to be a key. What is asked for is random, not memorable
    (`openssl rand -hex 32`), so that a plain hash makes the key of it."""
    whole = secret.encode()
    if len(whole) < SECRET_BYTES_LEAST:
        return None
    material = blake2b(whole, digest_size=32, person=b"vestnik.seal").digest()
    return Key(material, blake2b(material, digest_size=_NAME_BYTES, person=b"vestnik.name").digest())


@dataclass(frozen=True, slots=True)
class Unopened:
    """Why sealed bytes stay closed, in words without any of them."""

    why: str


def seal(key: Key, place: bytes, text: bytes) -> bytes:
    """The text, sealed for one place: it cannot be opened anywhere else."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    nonce = os.urandom(_NONCE_BYTES)
    head = _VERSION + key.name
    return head + nonce + AESGCM(key.material).encrypt(nonce, text, head + place)


def unseal(keys: Sequence[Key], place: bytes, sealed: bytes) -> bytes | Unopened:
    """The text again, by whichever of the keys sealed it."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    if len(sealed) < _HEAD_BYTES or not sealed.startswith(_VERSION):
        return Unopened("is no sealed pair, or one of another version of Vestnik")
    name = sealed[len(_VERSION) : len(_VERSION) + _NAME_BYTES]
    nonce = sealed[len(_VERSION) + _NAME_BYTES : _HEAD_BYTES]
    key = next((key for key in keys if key.name == name), None)
    if key is None:
        return Unopened("is sealed with another key")
    try:
        return AESGCM(key.material).decrypt(nonce, sealed[_HEAD_BYTES:], _VERSION + name + place)
    except InvalidTag:
        return Unopened("is damaged, or was sealed for another lane")
