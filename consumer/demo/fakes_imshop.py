"""A fake IMSHOP: the key, a thousand recipients, ten requests a minute, and what it says when it is too much."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import hdrs, web

from consumer.core.model import Message
from consumer.demo.fakes_base import Arrival, Delivery, FakeProvider, Fault, read_body

RECIPIENTS_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class ImshopProfile:
    """What IMSHOP does not document. `window` sliding counts the last period, fixed the current one of the clock;
    `over_limit` status answers 429, text a 200 with an error; every request counts, refused ones too."""

    window: Literal["sliding", "fixed"] = "sliding"
    over_limit: Literal["status", "text"] = "status"
    retry_after_seconds: int | None = None


class ImshopFake(FakeProvider):
    """`key` None lets everybody in. `quota` is (requests, seconds), None for no limit. The key is taken from the
    Authorization header or from the body."""

    def __init__(
        self,
        key: str | None,
        quota: tuple[int, float] | None = (10, 60.0),
        profile: ImshopProfile | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, port=port)
        self.key = key
        self.quota = quota
        self.profile = profile or ImshopProfile()
        if quota is not None:
            self.period_seconds = quota[1]

    @property
    def url(self) -> str:
        """What a lane's configuration names as its `url`."""
        return f"{self.origin}/push"

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        document = read_body(body)
        refusal = self._gate(request, document, arrival)
        if refusal is not None:
            return refusal
        recipients, message = document["userIds"], document["message"]
        seen = Message(message["title"], message["summary"], message.get("deeplink"))
        arrival.executed, arrival.recipients = True, tuple(recipients)
        self.deliveries.extend(Delivery(recipient, seen, arrival.at) for recipient in recipients)
        return web.json_response({"success": True})

    def refusal(self, fault: Fault) -> web.Response:
        match fault.kind:
            case "unavailable":
                return _failed("Integration is unavailable")
            case "limit":
                return self._over_limit()
            case _:
                return _failed(fault.code or "Internal error")

    def _gate(self, request: web.Request, document: dict[str, Any], arrival: Arrival) -> web.Response | None:
        if request.path != "/push":
            return _bad(404, "Not Found", "Not Found")
        if request.method != hdrs.METH_POST:
            return _bad(405, "Method Not Allowed", "Method Not Allowed")
        if self._is_over_limit(arrival.at):
            return self._over_limit()
        if self.key is not None and self.key not in _keys(request, document):
            return _bad(401, "Unauthorized", "Missing authentication")
        problem = _problem(document)
        return _bad(400, "Bad Request", problem) if problem else None

    def _is_over_limit(self, now: float) -> bool:
        if self.quota is None:
            return False
        requests, seconds = self.quota
        start = now - seconds if self.profile.window == "sliding" else now - now % seconds - 1e-9
        return sum(arrival.at > start for arrival in self.requests[-20 * requests :]) > requests

    def _over_limit(self) -> web.Response:
        if self.profile.over_limit == "text":
            return _failed("Too many requests")
        seconds = self.profile.retry_after_seconds
        headers = {} if seconds is None else {"Retry-After": str(seconds)}
        return _bad(429, "Too Many Requests", "Rate limit exceeded", headers)


def _keys(request: web.Request, document: dict[str, Any]) -> tuple[str, str]:
    return request.headers.get("Authorization", "").removeprefix("Bearer "), str(document.get("key", ""))


def _problem(document: dict[str, Any]) -> str:
    """What is wrong with the request, in the words of IMSHOP's validator."""
    ids, message = document.get("userIds"), document.get("message")
    if not isinstance(ids, list):
        return 'child "userIds" fails because ["userIds" must be an array]'
    if not all(isinstance(each, str) and each for each in ids):
        return 'child "userIds" fails because ["userIds" at position 0 fails because ["0" must be a string]]'
    if not 0 < len(ids) <= RECIPIENTS_LIMIT:
        return f'child "userIds" fails because ["userIds" must contain 1 to {RECIPIENTS_LIMIT} items]'
    if not isinstance(message, dict):
        return 'child "message" fails because ["message" is required]'
    for name in ("title", "summary"):
        if not isinstance(message.get(name), str) or not message[name]:
            return f'child "message" fails because [child "{name}" fails because ["{name}" is required]]'
    return ""


def _failed(error: str) -> web.Response:
    return web.json_response({"success": False, "error": error})


def _bad(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"statusCode": status, "error": error, "message": message}, status=status, headers=headers)
