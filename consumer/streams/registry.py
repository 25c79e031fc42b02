"""A schema registry, asked for schemas by their numbers: each once, within a deadline, and its answers believed only
when they make sense.

The contract is Confluent's (https://docs.confluent.io/platform/current/schema-registry/develop/api.html): a schema
never changes under its number, `GET /schemas/ids/7` has it, error code 40403 says that there is none.
"""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from consumer.core.decode import Undecodable
from consumer.core.envelopes import Schemas, Unpack, misfit
from consumer.core.model import Trouble
from consumer.streams.avro import UnfitError, avro_unpack
from consumer.streams.settings import ReadPassword

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 3.0
BODY_BYTES = 1024 * 1024
SCHEMAS_LIMIT = 10_000
REFERENCES_LIMIT = 32
# A registry's follower may not know yet what its leader took a moment ago.
UNKNOWN_TRIES = 3
UNKNOWN_PAUSE_SECONDS = 1.0
# So long an answer of none holds, and trouble.
UNKNOWN_SECONDS = 60.0
TROUBLE_SECONDS = 5.0
_NO_SCHEMA = 40403


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Where the registry is, and who we are to it. `password` is read anew for each question."""

    url: str
    username: str | None = None
    password: ReadPassword | None = field(default=None, repr=False)
    ca_file: str | None = None


class _Unclear(Exception):  # noqa: N818 - it never leaves this module
    """No answer, or one that makes no sense: the trouble is the first argument."""

    @property
    def trouble(self) -> Trouble:
        found: Trouble = self.args[0]
        return found


class _NoSchema(Exception):  # noqa: N818 - it never leaves this module
    """The registry says clearly that it has no such schema."""


class Registry:
    """`schemas` has what the registry has told so far, for all lanes; entries never change and never go."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._schemas: dict[int, Unpack] = {}
        self._unknown: dict[int, float] = {}
        self._failed: tuple[float, Trouble] | None = None
        self._asking = asyncio.Lock()

    @property
    def schemas(self) -> Schemas:
        return self._schemas

    async def learn(self, numbers: Iterable[int]) -> Trouble | None:
        """Ask for these schemas. Trouble where one of them could not be asked for; None when each is known by now, or
        known to be none."""
        async with self._asking:
            tries = UNKNOWN_TRIES
            for number in dict.fromkeys(numbers):
                if number in self._schemas or self._unknown.get(number, 0.0) > _now():
                    continue
                if self._failed is not None and self._failed[0] > _now():
                    return self._failed[1]
                trouble = await self._learn(number, tries)
                if trouble is not None:
                    self._failed = (_now() + TROUBLE_SECONDS, trouble)
                    return trouble
                # A topic full of strange numbers is not waited for number by number.
                tries = tries if number in self._schemas else 1
        return None

    async def _learn(self, number: int, tries: int) -> Trouble | None:
        if len(self._schemas) >= SCHEMAS_LIMIT:
            return Trouble("registry_nonsense", f"more than {SCHEMAS_LIMIT} different schemas")
        try:
            self._schemas[number] = await self._sure(number, tries)
        except _Unclear as unclear:
            return unclear.trouble
        except _NoSchema:
            if len(self._unknown) >= SCHEMAS_LIMIT:
                self._unknown.clear()
            self._unknown[number] = _now() + UNKNOWN_SECONDS
        return None

    async def _sure(self, number: int, tries: int) -> Unpack:
        for _ in range(tries - 1):
            try:
                return await self._unpack(number)
            except _NoSchema:
                await asyncio.sleep(UNKNOWN_PAUSE_SECONDS)
        return await self._unpack(number)

    async def _unpack(self, number: int) -> Unpack:
        async with aiohttp.ClientSession(**self._session()) as session:
            asked = _Asked(session, self._settings.url.rstrip("/"))
            return await asked.unpack(number)

    def _session(self) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS)
        arguments: dict[str, Any] = {"timeout": timeout, "trust_env": False}
        if self._settings.ca_file is not None:
            try:
                context = ssl.create_default_context(cafile=self._settings.ca_file)
            except OSError as error:
                raise _Unclear(Trouble("registry_unreachable", "the CA's file cannot be read")) from error
            arguments["connector"] = aiohttp.TCPConnector(ssl=context)
        if self._settings.username is not None:
            password = self._settings.password() if self._settings.password is not None else ""
            if isinstance(password, Trouble):
                raise _Unclear(Trouble("registry_denied", password.detail))
            basic = b64encode(f"{self._settings.username}:{password}".encode()).decode()
            arguments["headers"] = {"Authorization": f"Basic {basic}"}
        return arguments


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class _Asked:
    """One schema with all that it refers to. `references` are in the order in which they must be read."""

    session: aiohttp.ClientSession
    url: str
    references: dict[tuple[str, int], Any] = field(default_factory=dict)

    async def unpack(self, number: int) -> Unpack:
        answer = await self._get(f"/schemas/ids/{number}")
        kind = answer.get("schemaType", "AVRO")
        if kind == "JSON":
            return _json
        if kind != "AVRO":
            return _refusing(f"schema {number} is of a type that is not read here")
        await self._refer(answer)
        try:
            return avro_unpack(_schema_of(answer), list(self.references.values()))
        except UnfitError as unfit:
            return _refusing(f"schema {number} is not read here: {unfit}")
        except ValueError as error:
            raise _Unclear(Trouble("registry_nonsense", f"schema {number}: {error}")) from error

    async def _refer(self, answer: Mapping[str, Any]) -> None:
        """What a schema refers to, what that refers to first."""
        for reference in answer.get("references") or ():
            key = _reference_key(reference)
            if key in self.references:
                continue
            if len(self.references) >= REFERENCES_LIMIT:
                raise _Unclear(Trouble("registry_nonsense", f"more than {REFERENCES_LIMIT} references"))
            # Noted before it is followed, so that a circle has an end.
            self.references[key] = None
            try:
                below = await self._get(f"/subjects/{quote(key[0], safe='')}/versions/{key[1]}")
            except _NoSchema as error:
                raise _Unclear(Trouble("registry_nonsense", "a schema refers to one that there is not")) from error
            await self._refer(below)
            del self.references[key]
            self.references[key] = _schema_of(below)

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            async with self.session.get(self.url + path, allow_redirects=False, headers=_ACCEPT) as reply:
                body = await reply.content.read(BODY_BYTES + 1)
                while len(body) <= BODY_BYTES and (more := await reply.content.read(BODY_BYTES)):
                    body += more
                status = reply.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _Unclear(Trouble("registry_unreachable", type(error).__name__)) from error
        return _judged(status, body)


_ACCEPT = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}


def _judged(status: int, body: bytes) -> dict[str, Any]:
    document = _document(body) if len(body) <= BODY_BYTES else None
    if status == 200 and document is not None and isinstance(document.get("schema"), str):
        return document
    if status == 404 and document is not None and document.get("error_code") == _NO_SCHEMA:
        raise _NoSchema
    if status in (401, 403):
        raise _Unclear(Trouble("registry_denied", f"status {status}"))
    if status >= 500 or status == 429:
        raise _Unclear(Trouble("registry_unreachable", f"status {status}"))
    raise _Unclear(Trouble("registry_nonsense", f"status {status} with an answer that makes no sense"))


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _schema_of(answer: Mapping[str, Any]) -> Any:
    text = answer["schema"]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # `string` may stand there without quotes.
        return text


def _reference_key(reference: object) -> tuple[str, int]:
    if isinstance(reference, dict):
        subject, version = reference.get("subject"), reference.get("version")
        if isinstance(subject, str) and isinstance(version, int):
            return subject, version
    raise _Unclear(Trouble("registry_nonsense", "a reference without subject or version"))


def _json(payload: bytes) -> bytes:
    return payload


def _refusing(detail: str) -> Unpack:
    """What every record of an unreadable schema ends as."""
    end = misfit(f"Confluent: {detail}")

    def refuse(_: bytes) -> Undecodable:
        return end

    return refuse
