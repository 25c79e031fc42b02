"""A fake gateway of a shop's own: it takes a list of recipients and a text, by POST or PUT."""

import time
from collections.abc import Callable

from aiohttp import hdrs, web

from consumer.core.model import Message
from consumer.demo.fakes_base import Arrival, Delivery, FakeProvider, Fault, read_body


class WebhookFake(FakeProvider):
    """Wants `Authorization: Bearer …` unless `key` is None, and a body `{"to": [...], "title": …, "text": …}`; answers
    `{"ok": true, "unknown": [...]}`, where `unknown` are those of `strangers` who were asked for."""

    def __init__(
        self,
        key: str | None = None,
        strangers: frozenset[str] = frozenset(),
        *,
        clock: Callable[[], float] = time.monotonic,
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, port=port)
        self.key = key
        self.strangers = strangers
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        """What a lane's configuration names as its `url`."""
        return f"{self.origin}/v1/push"

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        self.seen.append((request.method, dict(request.headers)))
        if request.method not in (hdrs.METH_POST, hdrs.METH_PUT):
            return _bad(405, "method")
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _bad(401, "key")
        document = read_body(body)
        to, text = document.get("to"), document.get("text")
        if not isinstance(to, list) or not isinstance(text, str) or not text:
            return _bad(422, "to and text are needed")
        told = [str(each) for each in to if str(each) not in self.strangers]
        arrival.executed, arrival.recipients = True, tuple(told)
        seen = Message(str(document.get("title") or ""), text, document.get("link"))
        self.deliveries.extend(Delivery(recipient, seen, arrival.at) for recipient in told)
        return web.json_response({"ok": True, "unknown": [each for each in to if each in self.strangers]})

    def refusal(self, fault: Fault) -> web.Response:
        match fault.kind:
            case "unavailable":
                return _bad(503, "unavailable")
            case "limit":
                return web.json_response({"ok": False, "error": "limit"}, status=429, headers={"Retry-After": "1"})
            case _:
                return _bad(fault.status, fault.code or "error")


def _bad(status: int, error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error}, status=status)
