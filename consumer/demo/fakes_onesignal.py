"""A fake OneSignal: the key, subscribers, an idempotency store, partial answers and `Retry-After`."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from consumer.core.model import Message
from consumer.demo.fakes_base import Arrival, Delivery, FakeProvider, Fault, read_body

RECIPIENTS_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class OnesignalProfile:
    """`strangers` have no subscription; everybody else has one. `remembers_seconds`: how long a key is known."""

    strangers: frozenset[str] = frozenset()
    retry_after_seconds: int | None = 1
    remembers_seconds: float = 30 * 86_400.0


class OnesignalFake(FakeProvider):
    """`key` None lets everybody in. `quota` is (requests, seconds), None for no limit. A request whose idempotency key
    is known is answered as the first time, and nobody is told again."""

    period_seconds = 1.0

    def __init__(
        self,
        key: str | None,
        quota: tuple[int, float] | None = (150, 1.0),
        profile: OnesignalProfile | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, port=port)
        self.key = key
        self.quota = quota
        self.profile = profile or OnesignalProfile()
        self.known: dict[str, tuple[float, dict[str, Any]]] = {}
        self.repeated = 0
        if quota is not None:
            self.period_seconds = quota[1]

    @property
    def url(self) -> str:
        """What a lane's configuration names as its `url`."""
        return f"{self.origin}/notifications"

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        document = read_body(body)
        refusal = self._gate(request, document, arrival)
        if refusal is not None:
            return refusal
        if request.method == hdrs.METH_GET:
            return web.json_response({"total_count": 0, "notifications": []})
        key = document.get("idempotency_key")
        at, answer = self.known.get(str(key), (-1e18, {}))
        if key is not None and arrival.at - at < self.profile.remembers_seconds:
            self.repeated += 1
            return web.json_response(answer)
        answer = self._tell(document, arrival)
        if key is not None:
            self.known[str(key)] = (arrival.at, answer)
        return web.json_response(answer)

    def refusal(self, fault: Fault) -> web.Response:
        match fault.kind:
            case "unavailable":
                return _bad(503, "Service temporarily unavailable")
            case "limit":
                return self._over_limit()
            case _:
                return _bad(fault.status, fault.code or "Internal error")

    def _gate(self, request: web.Request, document: dict[str, Any], arrival: Arrival) -> web.Response | None:
        if request.path != "/notifications" or request.method not in (hdrs.METH_POST, hdrs.METH_GET):
            return _bad(404, "Not found")
        if self._is_over_limit(arrival.at):
            return self._over_limit()
        if self.key is not None and request.headers.get("Authorization") != f"Key {self.key}":
            return _bad(403, "Access denied. Please include a valid API key")
        problem = _problem(document) if request.method == hdrs.METH_POST else ""
        return _bad(400, problem) if problem else None

    def _tell(self, document: dict[str, Any], arrival: Arrival) -> dict[str, Any]:
        segments = document.get("included_segments")
        aliases = document.get("include_aliases", {})
        wanted = segments if segments is not None else next(iter(aliases.values()))
        strangers = [each for each in wanted if each in self.profile.strangers]
        told = [each for each in wanted if each not in self.profile.strangers]
        link = document.get("url") or document.get("app_url")
        seen = Message(
            document.get("headings", {}).get("en", ""), document["contents"]["en"], link, document.get("big_picture")
        )
        arrival.executed, arrival.recipients = True, tuple(told)
        self.deliveries.extend(Delivery(recipient, seen, arrival.at) for recipient in told)
        if not told:
            return {"id": "", "errors": ["All included players are not subscribed"]}
        answer: dict[str, Any] = {"id": str(uuid.uuid4()), "external_id": None}
        if strangers:
            answer["errors"] = {"invalid_aliases": {next(iter(aliases), "external_id"): strangers}}
        return answer

    def _is_over_limit(self, now: float) -> bool:
        if self.quota is None:
            return False
        requests, seconds = self.quota
        return sum(arrival.at > now - seconds for arrival in self.requests[-20 * requests :]) > requests

    def _over_limit(self) -> web.Response:
        seconds = self.profile.retry_after_seconds
        return _bad(429, "API rate limit exceeded", {} if seconds is None else {"Retry-After": str(seconds)})


def _problem(document: dict[str, Any]) -> str:
    """What is wrong with the request, in the words of OneSignal."""
    contents = document.get("contents")
    if not document.get("app_id"):
        return "app_id not found. You may be missing a Content-Type: application/json header."
    if not isinstance(contents, dict) or not contents.get("en"):
        return "Message Notifications must have English language content"
    key = document.get("idempotency_key")
    if key is not None and not _is_uuid(key):
        return "idempotency_key must be a valid UUID"
    if len(str(document.get("collapse_id", ""))) > 64:
        return "collapse_id must be at most 64 characters"
    return _audience_problem(document)


def _audience_problem(document: dict[str, Any]) -> str:
    segments, aliases = document.get("included_segments"), document.get("include_aliases")
    if (segments is None) == (aliases is None):
        return "You must include which players, segments, or tags you wish to send this notification to."
    if aliases is None:
        return "" if _is_list_of_text(segments) else "included_segments must be a list"
    if not isinstance(aliases, dict) or len(aliases) != 1 or not _is_list_of_text(next(iter(aliases.values()))):
        return "include_aliases must be an object of lists"
    if document.get("target_channel") != "push":
        return "target_channel is required with include_aliases"
    if len(next(iter(aliases.values()))) > RECIPIENTS_LIMIT:
        return f"include_aliases must have at most {RECIPIENTS_LIMIT} entries"
    return ""


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each for each in value)


def _is_uuid(value: object) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


def _bad(status: int, error: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"errors": [error]}, status=status, headers=headers)
