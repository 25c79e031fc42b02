"""The demo's world in one temporary folder: fake providers, secrets, the catalogue's routes, a configuration."""

import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from consumer.core.control import TOPIC as CONTROL
from consumer.core.model import Quota
from consumer.core.units import spell_seconds
from consumer.demo.events import BONUSES, ORDERS, SHOP
from consumer.demo.fakes_base import FakeProvider
from consumer.demo.fakes_bitrix24 import Bitrix24Fake, Bitrix24Profile
from consumer.demo.fakes_imshop import ImshopFake

APP_PUSH, STAFF = "app-push", "staff"
SOURCES = (ORDERS, BONUSES)
DEAD_LETTERS = "vestnik.dead-letters"
TOPICS = (*SOURCES, DEAD_LETTERS, CONTROL, f"vestnik.journal.{APP_PUSH}", f"vestnik.journal.{STAFF}")

_CLIENT = ("local.demo", "demo-client-secret")
_KEY = "demo-key"
_LOST_FOR_SECONDS = 60.0
# The portal's bucket is 50 deep; a lane stays a little under that.
_BUCKET_DEPTH, _BUCKET_DRAIN = 50.0, 2.0


def quotas(fast: float) -> dict[str, Quota]:
    """The real quota of each lane, with its time divided by `fast`."""
    return {APP_PUSH: Quota(10, 60.0 / fast), STAFF: Quota(45, 22.5 / fast, bucket=True)}


@dataclass(frozen=True, slots=True)
class World:
    """What the demo's consumer is configured with, and the fakes that know what came of it."""

    folder: Path
    config: Path
    fakes: dict[str, FakeProvider]
    quotas: dict[str, Quota]


@asynccontextmanager
async def make_world(folder: Path, bootstrap: str, fast: float) -> AsyncIterator[World]:
    """Start both fakes and write everything that `vestnik run` needs into the folder."""
    bucket = Bitrix24Profile(depth=_BUCKET_DEPTH, drain=_BUCKET_DRAIN * fast)
    imshop = ImshopFake(_KEY, (10, 60.0 / fast), clock=time.monotonic)
    bitrix24 = Bitrix24Fake(bucket, client=_CLIENT, clock=time.monotonic)
    async with imshop, bitrix24:
        _copy_catalogue(folder)
        _write_secret(folder / "imshop.key", _KEY)
        _write_secret(folder / "bitrix24.secret", _CLIENT[1])
        _write_secret(folder / "bitrix24.tokens", json.dumps(bitrix24.tokens()))
        config = folder / "vestnik.yaml"
        document = _document(folder, bootstrap, fast, (imshop, bitrix24))
        config.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
        yield World(folder, config, {APP_PUSH: imshop, STAFF: bitrix24}, quotas(fast))


def _copy_catalogue(folder: Path) -> None:
    with resources.as_file(resources.files("consumer.catalogue")) as catalogue:
        for part in ("routes", "examples"):
            shutil.copytree(catalogue / part, folder / part)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _document(folder: Path, bootstrap: str, fast: float, fakes: tuple[ImshopFake, Bitrix24Fake]) -> dict[str, Any]:
    """The demo's `vestnik.yaml`: like a shop's own, but for addresses on this machine and a port that is free."""
    imshop, bitrix24 = fakes
    return {
        "kafka": {"bootstrap": bootstrap},
        "topics": {"sources": list(SOURCES), "dead_letters": DEAD_LETTERS},
        "shops": {SHOP: {"slug": SHOP, "timezone": "Europe/Moscow", "locale": "ru"}},
        "lanes": {
            APP_PUSH: {
                "provider": {
                    "type": "imshop",
                    "url": imshop.url,
                    "key": {"file": str(folder / "imshop.key")},
                    "allow_http": True,
                },
                **_lane(APP_PUSH, fast),
            },
            STAFF: {
                "provider": {
                    "type": "bitrix24",
                    "portal": bitrix24.url,
                    "token_file": str(folder / "bitrix24.tokens"),
                    "client_id": _CLIENT[0],
                    "client_secret": {"file": str(folder / "bitrix24.secret")},
                    "oauth_url": bitrix24.oauth_url,
                    "allow_http": True,
                },
                **_lane(STAFF, fast),
            },
        },
        "routes": str(folder / "routes"),
        "admin": {"port": 0},
        # The shop's poisoned records are no news here; the report names each that is missing.
        "logs": {"level": "error"},
    }


def _lane(name: str, fast: float) -> dict[str, Any]:
    quota = quotas(fast)[name]
    return {
        "mode": "live",
        "start_at": "earliest",
        "lost_for": spell_seconds(_LOST_FOR_SECONDS / fast),
        "quota": {"requests": quota.requests, "per": spell_seconds(quota.per_seconds), "bucket": quota.bucket},
    }
