"""Bitrix24's OAuth 2.0: one refresh at a time, kept before its first use, and never on a schedule."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from consumer.core.facts import TokenKept, TokenRefreshed
from consumer.core.model import Blocked, Deferred
from consumer.core.ports import Emit
from consumer.core.secrets import ReadSecret, SecretRef
from consumer.sinks.answer import read_object
from consumer.sinks.base import usable_secret
from consumer.sinks.http import Http, Lost, NotSent, Reply
from consumer.sinks.tokens import NOTES, Pen, Tokens, TokenStore, read_tokens

REFRESH_SECONDS = 10.0
RETRY_SECONDS = 30.0
RETRY_CAP_SECONDS = 900.0
NOTES_SECONDS = 30.0
REFRESH_TOKEN_SECONDS = 180 * 86_400.0

# What the endpoint says, whatever its status: `wrong_client` comes with 200.
_OUR_FAULT = frozenset(
    {
        "invalid_client", "wrong_client", "invalid_request", "unauthorized_client", "unsupported_grant_type",
        "invalid_scope", "payment_required", "application_not_found", "not_installed", "portal_deleted",
    }
)  # fmt: skip

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_AUTHORISE = "the refresh token is used up; authorise the application again"


def loop_seconds() -> float:
    """Seconds of the running loop, which never jump: what waits and what expires go by one clock."""
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds that never jump, and seconds since 1970."""

    steady: Callable[[], float] = loop_seconds
    wall: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Application:
    """The OAuth application: who we are at the token endpoint."""

    token_url: str
    client_id: str
    client_secret: SecretRef


@dataclass(frozen=True, slots=True)
class Desk:
    """What a refresh talks to and reports to."""

    http: Http
    read_secret: ReadSecret
    emit: Emit
    lane: str
    clocks: Clocks = Clocks()
    refresh_token_seconds: float = REFRESH_TOKEN_SECONDS


class TokenGuard:
    """The access token of one account: fresh when `ready` says None.

    A refresh happens only after the provider refused the token or past its own end of life. Trouble is remembered, so
    that nobody asks the endpoint more than once in 30 s; the file is read again each time, so that a new pair heals.
    """

    def __init__(self, application: Application, store: TokenStore, desk: Desk) -> None:
        self._application = application
        self._store = store
        self._desk = desk
        self._tokens: Tokens | None = None
        self._ends_at: float | None = None  # on the steady clock, known of the pairs that we got ourselves
        self._unproven = False  # got by a refresh, and not yet accepted by anybody
        self._refused = ""  # the access token that the provider did not take
        self._spent = ""  # the refresh token that the endpoint did not take
        self._unsaved: Mapping[str, Any] | None = None
        self._failures = 0
        self._retry_at = float("-inf")
        self._trouble: Blocked | Deferred | None = None
        self._flight: asyncio.Task[Blocked | Deferred | None] | None = None
        self._notes: dict[str, Any] = {}
        self._notes_kept = True
        self._notes_at = float("-inf")
        self._glance: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"TokenGuard({self._store.where})"

    @property
    def access_token(self) -> str | None:
        return self._tokens.access if self._tokens is not None and self._is_good(self._tokens) else None

    async def ready(self) -> Blocked | Deferred | None:
        """None when the token may be used. Whoever asks meanwhile waits for the same refresh and gets its answer."""
        if self.access_token is not None and not self._notes_due():
            return None
        if self._flight is None:
            work = self._renew() if self.access_token is None else self._keep_notes()
            # A refresh that has begun is seen through even if nobody waits any more: its pair would be lost.
            self._flight = asyncio.create_task(work, name="token-refresh")
            self._flight.add_done_callback(self._flown)
        return await asyncio.shield(self._flight)

    @property
    def notes(self) -> Mapping[str, Any]:
        """What lies beside the pair, for those who use the account."""
        return self._notes

    def note(self, name: str, value: object) -> None:
        """Remember something beside the pair: at once in this process, and in the store before the next request."""
        self._notes = {**self._notes, name: value}
        self._notes_kept, self._notes_at = False, float("-inf")

    def look(self) -> None:
        """Read the pair in the background, so that its age is known while nothing is to be sent."""
        self._glance = asyncio.create_task(self._see(), name="token-age")

    async def _see(self) -> None:
        found = await self._store.read()
        if isinstance(found, Tokens) and self._tokens is None:
            self._adopt(found)

    def accepted(self, token: str) -> None:
        """The provider took this token."""
        if self._tokens is not None and token == self._tokens.access:
            self._unproven = False

    def refused(self, token: str) -> Blocked | None:
        """The provider did not take this token. Blocked where it was new: another refresh would not help."""
        if self._tokens is None or token != self._tokens.access or token == self._refused:
            return None
        self._refused = token
        if not self._unproven:
            return None
        blocked = Blocked("token_refused", "a token that was just refreshed is not accepted")
        self._wait(blocked, RETRY_CAP_SECONDS)
        return blocked

    async def close(self) -> None:
        """See a refresh through, within its own deadline, and let go."""
        if self._glance is not None:
            self._glance.cancel()
            await asyncio.wait({self._glance}, timeout=REFRESH_SECONDS)
        if self._flight is not None:
            await asyncio.wait({self._flight}, timeout=REFRESH_SECONDS + 1)
        await self._desk.http.close()

    def _flown(self, flight: asyncio.Task[Blocked | Deferred | None]) -> None:
        self._flight = None

    def _is_good(self, tokens: Tokens) -> bool:
        if tokens.access == self._refused or self._unsaved is not None:
            return False
        if self._ends_at is not None:
            return self._desk.clocks.steady() < self._ends_at
        return tokens.expires is None or self._desk.clocks.wall() < tokens.expires

    async def _renew(self) -> Blocked | Deferred | None:
        pen = await self._store.hold()
        if isinstance(pen, (Blocked, Deferred)):
            return pen
        try:
            return await self._renew_with(pen)
        finally:
            await pen.release()

    async def _renew_with(self, pen: Pen) -> Blocked | Deferred | None:
        """Under the lock: a pair that was got and not kept, then the store's, then a refresh."""
        if self._unsaved is not None:
            return await self._keep(pen, self._unsaved)
        found = await self._store.read()
        if not isinstance(found, Tokens):
            return found
        if self._adopt(found):
            return None
        if found.refresh == self._spent:
            return Blocked("invalid_grant", _AUTHORISE)
        waiting = self._remaining()
        return waiting or await self._refresh(pen, found)

    def _adopt(self, found: Tokens) -> bool:
        """Take a pair from the store if it is another one than we have and looks alive: a peer may have refreshed."""
        if self._tokens is None or found.access != self._tokens.access:
            self._tokens, self._ends_at, self._unproven = found, None, False
            if self._notes_kept:
                self._notes = found.notes
            self._show(found)
        return self._is_good(found)

    def _show(self, tokens: Tokens) -> None:
        if tokens.obtained is not None:
            dies = tokens.obtained + self._desk.refresh_token_seconds
            kept = TokenKept(self._desk.lane, "bitrix24", tokens.obtained, tokens.expires or tokens.obtained, dies)
            self._desk.emit(kept)

    def _notes_due(self) -> bool:
        return not self._notes_kept and self._desk.clocks.steady() >= self._notes_at

    async def _keep_notes(self) -> None:
        """Write the notes beside the pair that the store has now. When it does not take them, no request has to wait:
        they hold in this process, and it is tried again."""
        self._notes_at = self._desk.clocks.steady() + NOTES_SECONDS
        pen = await self._store.hold()
        if isinstance(pen, (Blocked, Deferred)):
            return
        try:
            found = await self._store.read()
            if isinstance(found, Tokens):
                notes = {**found.notes, **self._notes}
                self._notes_kept = await pen.write({**found.whole, NOTES: notes})
        finally:
            await pen.release()

    def _remaining(self) -> Blocked | Deferred | None:
        """The last trouble, while it is too early to ask again."""
        left_seconds = self._retry_at - self._desk.clocks.steady()
        if left_seconds <= 0 or self._trouble is None:
            return None
        if isinstance(self._trouble, Blocked):
            return self._trouble
        return Deferred(self._trouble.reason, left_seconds, left=False)

    async def _refresh(self, pen: Pen, tokens: Tokens) -> Blocked | Deferred | None:
        secret = usable_secret(self._application.client_secret, self._desk.read_secret)
        if isinstance(secret, Blocked):
            return secret
        form = {
            "grant_type": "refresh_token",
            "client_id": self._application.client_id,
            "client_secret": secret,
            "refresh_token": tokens.refresh,
        }
        answer = await self._desk.http.post(self._application.token_url, urlencode(form).encode(), _FORM)
        said = judge_refresh(answer)
        if not isinstance(said, (Blocked, Deferred)):
            self._notes = {**tokens.notes, **self._notes, "obtained": self._desk.clocks.wall()}
            return await self._keep(pen, {**said, NOTES: self._notes})
        if said.reason == "invalid_grant" and await self._found_another(tokens):
            return None
        return self._failed(said, tokens)

    async def _found_another(self, used: Tokens) -> bool:
        """Whether the file holds another pair by now: somebody without our lock may have refreshed."""
        again = await self._store.read()
        return isinstance(again, Tokens) and again.refresh != used.refresh and self._adopt(again)

    async def _keep(self, pen: Pen, document: Mapping[str, Any]) -> Blocked | Deferred | None:
        """Durable first, used second."""
        self._unsaved = document
        if not await pen.write(document):
            self._say("unsaved")
            return Blocked("token_store", f"{self._store.where} does not take the new pair; make room for it")
        self._unsaved, self._notes_kept = None, True
        self._tokens = read_tokens(document)
        if self._tokens is not None:
            self._show(self._tokens)
        lifetime = document.get("expires_in")
        lifetime_seconds = float(lifetime) if isinstance(lifetime, (int, float)) else 3600.0
        self._ends_at = self._desk.clocks.steady() + lifetime_seconds
        self._unproven, self._failures, self._trouble = True, 0, None
        self._retry_at = float("-inf")
        self._say("refreshed")
        return None

    def _failed(self, trouble: Blocked | Deferred, used: Tokens) -> Blocked | Deferred:
        self._say(trouble.reason)
        self._failures += 1
        if trouble.reason == "invalid_grant":
            self._spent = used.refresh
            return trouble
        if isinstance(trouble, Deferred):
            # Without a token nothing can be sent, so the lane says why at once, and tries the same pair again.
            trouble = Blocked(trouble.reason, f"the token service gave no pair, {self._failures} times in a row")
        seconds = min(RETRY_CAP_SECONDS, RETRY_SECONDS * 2.0 ** min(self._failures - 1, 10))
        self._wait(trouble, seconds)
        return self._remaining() or trouble

    def _wait(self, trouble: Blocked | Deferred, seconds: float) -> None:
        self._trouble = trouble
        self._retry_at = self._desk.clocks.steady() + seconds

    def _say(self, result: str) -> None:
        self._desk.emit(TokenRefreshed(lane=self._desk.lane, provider="bitrix24", result=result))


def authorise_url(portal: str, client_id: str) -> str:
    """Where an administrator agrees; the portal then shows the code in the address of the page that it goes to."""
    return f"{portal.rstrip('/')}/oauth/authorize/?{urlencode({'client_id': client_id, 'response_type': 'code'})}"


async def exchange(application: Application, code: str, desk: Desk) -> Mapping[str, Any] | Blocked | Deferred:
    """The first pair, for a code that lives half a minute and is good once; nothing is kept yet."""
    secret = usable_secret(application.client_secret, desk.read_secret)
    if isinstance(secret, Blocked):
        return secret
    form = {
        "grant_type": "authorization_code",
        "client_id": application.client_id,
        "client_secret": secret,
        "code": code.strip(),
    }
    answer = await desk.http.post(application.token_url, urlencode(form).encode(), _FORM)
    said = judge_refresh(answer)
    if isinstance(said, (Blocked, Deferred)):
        stale = said.reason == "invalid_grant"
        return Blocked("invalid_grant", "the code is used up or older than half a minute") if stale else said
    return {**said, NOTES: {"obtained": desk.clocks.wall()}}


def judge_refresh(answer: Reply | NotSent | Lost) -> Mapping[str, Any] | Blocked | Deferred:
    """The new pair as it came; Blocked when only a person can help; Deferred when the same token is to be tried again:
    an answer that was lost may have rotated it or not."""
    if not isinstance(answer, Reply):
        return Deferred("token_endpoint", left=False)
    document = read_object(answer.body) or {}
    if answer.status == 200 and "error" not in document and read_tokens(document) is not None:
        return document
    code = str(document.get("error", "")).lower()
    if code == "invalid_grant":
        return Blocked("invalid_grant", _AUTHORISE)
    if code in _OUR_FAULT:
        return Blocked(code, "the token endpoint does not accept the application")
    if 300 <= answer.status < 500 and answer.status not in (408, 425, 429):
        return Blocked("token_endpoint", f"the token endpoint answered {answer.status}")
    return Deferred("token_endpoint", left=False)
