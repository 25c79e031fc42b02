"""Tokens for OAUTHBEARER from an identity provider: one request for all connections, again before the token ends."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from consumer.app.kafka_config import OidcConfig
from consumer.core.model import Trouble
from consumer.core.secrets import ReadSecret
from consumer.sinks.answer import read_object
from consumer.sinks.http import Http, Lost, NotSent, Reach, Reply, reach_to

TOTAL_SECONDS = 10.0
USED_SHARE = 0.8
LIFE_SECONDS_MOST = 30 * 86_400.0
_UNKNOWN_LIFE_SECONDS = 60.0


class OidcTokens:
    """The tokens of one client. `read` gives one with at least a fifth of its life before it."""

    def __init__(
        self, account: OidcConfig, read_secret: ReadSecret, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._read_secret = read_secret
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return f"OidcTokens({self._where})"

    async def read(self) -> str | Trouble:
        """A token, asked for only when the last one is nearly over; Trouble without any secret in it."""
        async with self._asking:
            if self._monotonic() < self._until:
                return self._token
            asked_at = self._monotonic()
            answer = await self._ask()
            if isinstance(answer, Trouble):
                return answer
            return self._kept(answer, asked_at)

    async def _ask(self) -> Reply | Trouble:
        secret = self._read_secret(self._account.client_secret)
        if isinstance(secret, Trouble):
            return secret
        form = {"grant_type": "client_credentials", "client_id": self._account.client_id, "client_secret": secret}
        form |= {"scope": self._account.scope} if self._account.scope else {}
        body = urlencode(form | self._account.parameters).encode()
        http = Http(reach_to(Reach(TOTAL_SECONDS), self._account.url))
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
            answer = await http.post(self._account.url, body, headers)
        finally:
            await http.close()
        match answer:
            case NotSent(reason) | Lost(reason):
                return self._trouble(f"does not answer ({reason})")
            case Reply():
                return answer

    def _kept(self, answer: Reply, asked_at: float) -> str | Trouble:
        said = read_object(answer.body) or {}
        token, life = said.get("access_token"), said.get("expires_in")
        if answer.status != 200 or not isinstance(token, str) or not token:
            return self._trouble(f"gave no token: status {answer.status}{_code(said)}")
        known = isinstance(life, (int, float)) and not isinstance(life, bool) and 0 < life < LIFE_SECONDS_MOST
        self._token = token
        self._until = asked_at + USED_SHARE * (float(life) if known and life is not None else _UNKNOWN_LIFE_SECONDS)
        return token

    @property
    def _where(self) -> str:
        return urlsplit(self._account.url).hostname or "?"

    def _trouble(self, what: str) -> Trouble:
        return Trouble("not_authorised", f"the token endpoint at {self._where} {what}")


def _code(said: dict[str, Any]) -> str:
    """The error's code, where it is one; anything longer may quote what was sent."""
    code = said.get("error")
    return f" {code}" if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""
