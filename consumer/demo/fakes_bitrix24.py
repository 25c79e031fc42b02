"""A fake Bitrix24 portal: the leaky bucket, OAuth with rotation, the push method, `batch`, and how portals say no."""

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal
from urllib.parse import parse_qsl

from aiohttp import web

from consumer.core.model import Message
from consumer.demo.fakes_base import Arrival, Delivery, FakeProvider, Fault, read_body

PUSH = "pull.application.push.add"
BATCH_LIMIT = 50
_BASKET_SECONDS = 600.0
_CODE_SECONDS = 30.0
# Results of earlier commands, which a batch puts in the place of these wherever they stand.
_REFERENCE = re.compile(r"\$(?:result|error|total|next|time)\[[^\]]*\]", re.IGNORECASE)
_STATUSES = {
    "QUERY_LIMIT_EXCEEDED": 503,
    "OVERLOAD_LIMIT": 503,
    "OPERATION_TIME_LIMIT": 429,
    "INTERNAL_SERVER_ERROR": 500,
    "PORTAL_DELETED": 500,
    "ERROR_METHOD_NOT_FOUND": 404,
    "WRONG_AUTH_TYPE": 403,
    "insufficient_scope": 403,
    "ACCESS_DENIED": 403,
    "expired_token": 401,
    "invalid_token": 401,
    "NO_AUTH_FOUND": 401,
}
_AUTHORISATION = ("expired_token", "invalid_token", "NO_AUTH_FOUND", "WRONG_AUTH_TYPE", "insufficient_scope")


@dataclass(frozen=True, slots=True)
class Bitrix24Profile:
    """How a portal is. `depth` and `drain` (a second) are its bucket for each source address; `statuses` cloud answers
    errors as documented, box every authorisation error with 401, old all of them with 200. `operating_seconds` is what
    one call bills, and `operating_limit_seconds` what ten minutes may bill; None is no limit. `bills` is what a batch
    bills: itself, or the methods in it. `batch_executes` is how many commands of a batch are run, `bad_texts` are
    refused."""

    depth: float = 50.0
    drain: float = 2.0
    statuses: Literal["cloud", "box", "old"] = "cloud"
    operating_seconds: float = 0.0
    operating_limit_seconds: float | None = None
    push_in_batch: bool = True
    bills: Literal["method", "batch"] = "method"
    batch_executes: int = BATCH_LIMIT
    bad_texts: tuple[str, ...] = ()


@dataclass(slots=True)
class FakeOAuth:
    """The token endpoint's memory: one refresh token that is worth something, access tokens with their ends."""

    client_id: str
    client_secret: str
    lifetime_seconds: float
    clock: Callable[[], float]
    number: int = 0
    refreshes: int = 0
    refresh_token: str = ""
    access: dict[str, float] = field(default_factory=dict)
    codes: dict[str, float] = field(default_factory=dict)

    def code(self) -> str:
        """What an administrator sees in the address after he has agreed; it is good once, for half a minute."""
        self.number += 1
        code = f"code-{self.number:04d}-{id(self):x}"
        self.codes[code] = self.clock() + _CODE_SECONDS
        return code

    def grants(self, fields: Mapping[str, str]) -> bool:
        """Whether what is shown is worth a new pair."""
        if fields.get("grant_type") == "authorization_code":
            return self.codes.pop(fields.get("code", ""), float("-inf")) >= self.clock()
        self.refreshes += 1
        return fields.get("refresh_token") == self.refresh_token

    def issue(self) -> dict[str, Any]:
        """A new pair; the refresh token before it is worth nothing any more."""
        self.number += 1
        self.refresh_token = f"refresh-{self.number:04d}-{id(self):x}"
        token = f"access-{self.number:04d}-{id(self):x}"
        self.access[token] = self.clock() + self.lifetime_seconds
        return {
            "access_token": token,
            "refresh_token": self.refresh_token,
            "expires_in": int(self.lifetime_seconds),
            "expires": int(time.time() + self.lifetime_seconds),
            "scope": "pull",
            "status": "L",
        }

    def expire(self) -> None:
        """Every access token is past its end from now on."""
        self.access = dict.fromkeys(self.access, float("-inf"))

    def check(self, token: str) -> str:
        """The error of a token; empty for a good one."""
        if not token:
            return "NO_AUTH_FOUND"
        if token not in self.access:
            return "invalid_token"
        return "expired_token" if self.clock() >= self.access[token] else ""


class Bitrix24Fake(FakeProvider):
    """`url` is the portal, `oauth_url` the token endpoint, `tokens()` a pair for a token file."""

    def __init__(
        self,
        profile: Bitrix24Profile | None = None,
        *,
        client: tuple[str, str] = ("local.app", "client-secret"),
        token_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, port=port)
        self.profile = profile or Bitrix24Profile()
        self.oauth = FakeOAuth(client[0], client[1], token_seconds, clock)
        self.moved_to: str | None = None
        self.worst_level = 0.0  # how full the fullest bucket was after a call that fitted
        self._levels: dict[str, tuple[float, float]] = {}
        self._billed: dict[str, deque[tuple[float, float]]] = {PUSH: deque(), "batch": deque()}
        self.period_seconds = self.profile.depth / self.profile.drain

    @property
    def url(self) -> str:
        """What a lane's configuration names as its `portal`."""
        return self.origin

    @property
    def oauth_url(self) -> str:
        return f"{self.origin}/oauth/token/"

    @property
    def pushes(self) -> list[Arrival]:
        return [arrival for arrival in self.requests if arrival.path.startswith("/rest/")]

    def tokens(self) -> dict[str, Any]:
        """A fresh pair, as the first exchange of a code would give it."""
        return {**self.oauth.issue(), "client_endpoint": f"{self.origin}/rest/"}

    def report(self, seconds: float | None = None) -> dict[str, Any]:
        more = {"refreshes": self.oauth.refreshes, "worst_level": self.worst_level}
        return {**FakeProvider.report(self, seconds), **more}

    def refusal(self, fault: Fault) -> web.Response:
        match fault.kind:
            case "limit":
                return self._error("QUERY_LIMIT_EXCEEDED", "Too many requests")
            case "unavailable":
                return self._error("OVERLOAD_LIMIT", "REST API is blocked due to overload.")
            case _:
                return self._error(fault.code or "INTERNAL_SERVER_ERROR", "", fault.status)

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        path = request.path.rstrip("/")
        if path == "/oauth/token":
            return self._token(request, body)
        if self.moved_to is not None:
            return web.Response(status=302, headers={"Location": f"{self.moved_to}{request.path}"})
        if not self._pour(request.remote or "", arrival.at):
            return self._error("QUERY_LIMIT_EXCEEDED", "Too many requests")
        document = read_body(body)
        wrong = self.oauth.check(str(document.get("auth", "")))
        if wrong:
            return self._error(wrong, "The access token provided has expired.")
        method = path.removeprefix("/rest/").removesuffix(".json")
        if self._is_overworked(method, arrival.at):
            return self._error("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
        return self._call(method, document, arrival)

    # --- the methods --------------------------------------------------------------------------------------------------

    def _call(self, method: str, document: dict[str, Any], arrival: Arrival) -> web.Response:
        if method == "batch":
            return self._batch(document, arrival)
        if method == "scope":
            return web.json_response({"result": ["pull"], "time": self._time(PUSH, arrival.at)})
        if method != PUSH:
            return self._error("ERROR_METHOD_NOT_FOUND", "Method not found!")
        wrong = self._push(document, arrival)
        if wrong:
            return self._error(wrong, "")
        return web.json_response({"result": True, "time": self._time(PUSH, arrival.at)})

    def _push(self, fields: dict[str, Any], arrival: Arrival, bill: str = PUSH) -> str:
        """Tell everybody in USER_ID; the error's code, or nothing. Ids that are none are dropped without a word."""
        text = fields.get("TEXT")
        if not isinstance(text, str) or text in ("", "0"):
            return "TEXT_ERROR"
        if text in self.profile.bad_texts:
            return "INVALID_ARG_VALUE"
        self._billed[bill].append((arrival.at, self.profile.operating_seconds))
        asked = fields.get("USER_ID", [])
        ids = [int(each) for each in (asked if isinstance(asked, list) else [asked]) if _is_id(each)]
        users = tuple(str(user) for user in dict.fromkeys(ids) if user > 0)
        seen = Message("", " ".join(text.split("\n")), None, fields.get("AVATAR"))
        together = takewhile(lambda delivery: delivery.at == arrival.at, reversed(self.deliveries))
        known = {(delivery.recipient, delivery.message) for delivery in together}
        # Equal texts of one batch, which all have one time, become one push.
        self.deliveries.extend(Delivery(user, seen, arrival.at) for user in users if (user, seen) not in known)
        arrival.executed = True
        arrival.recipients += users
        return ""

    def _batch(self, document: dict[str, Any], arrival: Arrival) -> web.Response:
        """At most 50 calls, in order; empty maps come as lists, and keys 0 to n as a list too."""
        asked = document.get("cmd", {})
        commands = dict(enumerate(asked)) if isinstance(asked, list) else dict(asked)
        done: dict[str, Any] = {}
        failed: dict[str, Any] = {}
        times: dict[str, Any] = {}
        for key, command in list(commands.items())[: min(BATCH_LIMIT, self.profile.batch_executes)]:
            wrong = self._batched(str(command), arrival)
            if wrong:
                failed[str(key)] = {"error": wrong, "error_description": ""}
                if document.get("halt") in (1, "1", True):
                    break
            else:
                done[str(key)] = True
                times[str(key)] = self._time(PUSH, arrival.at)
        result = {"result": _php(done), "result_error": _php(failed), "result_total": [], "result_next": []}
        result["result_time"] = _php(times)
        return web.json_response({"result": result, "time": self._time("batch", arrival.at)})

    def _batched(self, command: str, arrival: Arrival) -> str:
        method, _, query = command.partition("#")[0].partition("?")
        if method != PUSH:
            return "ERROR_METHOD_NOT_FOUND"
        if not self.profile.push_in_batch:
            return "ERROR_BATCH_METHOD_NOT_ALLOWED"
        if self._is_overworked(PUSH, arrival.at):
            return "OPERATION_TIME_LIMIT"
        fields: dict[str, Any] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name.startswith("USER_ID["):
                fields.setdefault("USER_ID", []).append(value)
            else:
                fields[name] = _REFERENCE.sub("", value)
        return self._push(fields, arrival, PUSH if self.profile.bills == "method" else "batch")

    # --- limits and tokens --------------------------------------------------------------------------------------------

    def _pour(self, address: str, now: float) -> bool:
        """One more drop in the bucket of a source address; False when it would run over."""
        level, at = self._levels.get(address, (0.0, now))
        level = max(0.0, level - (now - at) * self.profile.drain)
        fits = level + 1 <= self.profile.depth
        self._levels[address] = (level + fits, now)
        self.worst_level = max(self.worst_level, level + fits)
        return fits

    def _is_overworked(self, method: str, now: float) -> bool:
        limit_seconds = self.profile.operating_limit_seconds
        return limit_seconds is not None and self._operating(method, now) >= limit_seconds

    def _operating(self, method: str, now: float) -> float:
        billed = self._billed.get(method, deque())
        while billed and now - billed[0][0] >= _BASKET_SECONDS:
            billed.popleft()
        return sum(seconds for _, seconds in billed)

    def _time(self, method: str, now: float) -> dict[str, float]:
        wall, used = time.time(), self._operating(method, now)
        oldest = self._billed[method][0][0] if self._billed[method] else now
        reset = wall + _BASKET_SECONDS - (now - oldest)
        return {"start": wall, "finish": wall, "operating": used, "operating_reset_at": int(reset)}

    def _token(self, request: web.Request, body: bytes) -> web.Response:
        fields = dict(request.query) | dict(parse_qsl(body.decode("utf-8", "replace")))
        if (fields.get("client_id"), fields.get("client_secret")) != (self.oauth.client_id, self.oauth.client_secret):
            return web.json_response({"error": "wrong_client", "error_description": "wrong client"})
        if fields.get("grant_type") not in ("refresh_token", "authorization_code"):
            return web.json_response({"error": "invalid_request"}, status=400)
        if not self.oauth.grants(fields):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self.tokens())

    def _error(self, code: str, description: str, status: int = 503) -> web.Response:
        status = _STATUSES.get(code, status if status != 503 else 400)
        if self.profile.statuses == "box" and code in _AUTHORISATION:
            status = 401
        if self.profile.statuses == "old":
            status = 200
        return web.json_response({"error": code, "error_description": description}, status=status)


def _is_id(value: object) -> bool:
    return str(value).lstrip("-").isdigit()


def _php(found: dict[str, Any]) -> dict[str, Any] | list[Any]:
    """A map as PHP writes it: empty, or with the keys 0 to n, it is a list."""
    return list(found.values()) if list(found) == [str(index) for index in range(len(found))] else found
