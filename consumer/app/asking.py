"""Asks the admin port of a process that runs how its lanes stand."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from consumer.app.setup import Setup

ANSWER_SECONDS = 5.0
ANSWER_BYTES = 16 * 1024 * 1024
ASKED_AT_ONCE = 50
NO_PORT = "admin.port is 0, any free one: say --url, as the log of the process names it"
# Who listens everywhere is asked here.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to get away from it
_DIGEST = re.compile(r'^vestnik_config_info\{digest="([0-9a-f]+)"\} 1', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Unfit:
    """An address at which nothing can be asked, and why."""

    why: str


def admin_address(setup: Setup) -> str | None:
    """Of the admin port that the configuration names; None where it says any free one."""
    admin = setup.config.admin
    if admin.port == 0:
        return None
    host = _EVERYWHERE.get(admin.host, admin.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{admin.port}"


def checked_address(url: str) -> str | Unfit:
    """The address without a path; what is wrong with it."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    return (
        url.rstrip("/").removesuffix("/api/state")
        if sound
        else Unfit(f'--url: "{url}" is not like http://127.0.0.1:9464')
    )


async def fetched(address: str) -> dict[str, Any] | str:
    """The report of `/api/state`; why there is none, in words. Waits five seconds at most."""
    return await _report(address, "/api/state")


async def fetched_whereabouts(address: str, ids: Sequence[str]) -> dict[str, Any] | str:
    """What `/api/why` says of commands, at most fifty; why it says nothing, in words."""
    return await _report(address, "/api/why?" + "&".join(f"command={id_}" for id_ in ids[:ASKED_AT_ONCE]))


async def fetched_digest(address: str) -> str | Unfit:
    """The digest of the configuration with which that process runs."""
    text = await _page(address, "/metrics")
    if isinstance(text, Unfit):
        return text
    found = _DIGEST.search(text.decode(errors="replace"))
    return found[1] if found is not None else Unfit(f"{address} tells no digest of its configuration")


async def _report(address: str, path: str) -> dict[str, Any] | str:
    """Both reports are about lanes; anything else is somebody else's answer."""
    text = await _page(address, path)
    if isinstance(text, Unfit):
        return text.why
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        report = None
    sound = isinstance(report, dict) and isinstance(report.get("lanes"), dict)
    return report if sound else f"what {address} answers is not the state of Vestnik"


async def _page(address: str, path: str) -> bytes | Unfit:
    import aiohttp  # noqa: PLC0415 - half a second of start-up, which most commands do not need

    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{address}{path}") as response:
            if response.status != 200:
                return Unfit(f"{address} answers with HTTP {response.status}: is that the admin port of Vestnik?")
            return await _body(response.content)
    except TimeoutError:
        return Unfit(f"{address} does not answer within {ANSWER_SECONDS:.0f} s")
    except (aiohttp.ClientError, OSError) as error:
        return Unfit(f"{address} does not answer: does the process run, and is its admin port there? ({error})")
    except ValueError:
        return Unfit(f"what {address} answers is not the state of Vestnik")


async def _body(content: Any) -> bytes:
    """All of it; ValueError when it is longer than any state."""
    body = b""
    while piece := await content.read(1 << 16):
        body += piece
        if len(body) > ANSWER_BYTES:
            raise ValueError("too long")
    return body
