"""OAUTHBEARER: a token for each connection, and a refusal that is heard."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiokafka.conn
from aiokafka import errors
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import OAuthAuthenticator

from consumer.core.model import Trouble

TOKEN_SECONDS = 15.0
_TOKEN = re.compile(r"[\x21-\x7e]+")


class _Bearer(OAuthAuthenticator):
    """The library takes any answer to a token for a yes, and then reads the broker's refusal as something else."""

    async def step(self, payload: bytes | None) -> Any:
        if payload:
            raise errors.SaslAuthenticationFailed("the token was refused")
        return await super().step(payload)


aiokafka.conn.OAuthAuthenticator = _Bearer


class TokenProvider(AbstractTokenProvider):
    """The library asks it at each connection, so that the token of a new one is never an old one."""

    def __init__(self, read: Callable[[], Awaitable[str | Trouble]]) -> None:
        self._read = read

    async def token(self) -> str:
        """The token. Raises the library's error of a connection that could not be made, with the reason."""
        async with asyncio.timeout(TOKEN_SECONDS):
            found = await self._read()
        if isinstance(found, Trouble):
            raise NoTokenError(found.detail)
        if not _TOKEN.fullmatch(found):
            # A control character would end the token and begin something of the writer's own.
            raise NoTokenError("what was given has spaces or other characters that no token has")
        return found


class NoTokenError(errors.KafkaConnectionError):
    """There is no token to show to the brokers."""
