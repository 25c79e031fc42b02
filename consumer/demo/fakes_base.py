"""What all fake providers share: a loopback server, faults that can be switched while it runs, and an honest account of
what arrived apart from what people saw."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, get_args

from aiohttp import web

from consumer.core.model import Message

FaultKind = Literal[
    "status", "html", "slow", "hang", "hang_after", "reset_before", "reset_after", "cut_body", "unavailable", "limit",
    "error",
]  # fmt: skip
_BODY_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. It hits requests whose path begins with `path`, `times` times, or until it is taken away.

    status, html, unavailable, limit, error: answered so, and nothing executed. slow: `seconds` later, but well.
    hang, reset_before: nothing executed, no answer. hang_after, reset_after, cut_body: executed, and the answer lost.
    `code` is the provider's own word for `error`.
    """

    kind: FaultKind
    times: int | None = None
    path: str = ""
    status: int = 503
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one person saw, and when by the fake's clock."""

    recipient: str
    message: Message
    at: float


@dataclass(slots=True)
class Arrival:
    """One request, from its first byte on. `status` is 0 while, and where, no answer went back."""

    at: float
    path: str
    status: int = 0
    executed: bool = False
    fault: str = ""
    recipients: tuple[str, ...] = ()


class FakeProvider:
    """A provider on loopback. Use it as an asynchronous context; `url` is known inside it.

    `clock` gives seconds; quotas and times of arrival are measured with it. Subclasses say what a request does.
    """

    period_seconds = 60.0
    # Loopback, unless somebody puts the fakes beside the consumer into containers.
    listens_on = "127.0.0.1"

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, port: int = 0) -> None:
        self.clock = clock
        self.deliveries: list[Delivery] = []
        self.requests: list[Arrival] = []
        self.faults: list[Fault] = []
        self._port = port
        self._healed = asyncio.Event()
        self._next = asyncio.Event()
        self._runner: web.AppRunner | None = None

    # --- what a subclass says -----------------------------------------------------------------------------------------

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        """Do what the request asks for, and answer."""
        raise NotImplementedError

    def refusal(self, fault: Fault) -> web.Response:
        """The provider's own way to say `unavailable`, `limit` or `error`."""
        raise NotImplementedError

    # --- what tests ask -----------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pushes(self) -> list[Arrival]:
        """The requests that count against the quota."""
        return self.requests

    def fail(self, kind: FaultKind, times: int | None = None, **more: Any) -> None:
        """From now on, or for so many requests, go wrong in this way; see `Fault`."""
        self.faults.append(Fault(kind, times, **more))

    def heal(self) -> None:
        """Everything works again, and what hangs is let go without an answer."""
        self.faults.clear()
        self._healed.set()
        self._healed = asyncio.Event()

    async def arrived(self, count: int) -> None:
        """Return when so many requests have arrived in all."""
        while len(self.requests) < count:
            await self._next.wait()

    def worst_window(self, seconds: float | None = None) -> int:
        """The most requests that arrived within any `seconds` (the quota's period by default), right end excluded."""
        span = seconds or self.period_seconds
        times = sorted(arrival.at for arrival in self.pushes)
        worst = start = 0
        for end, at in enumerate(times):
            while at - times[start] >= span:
                start += 1
            worst = max(worst, end - start + 1)
        return worst

    def duplicates(self, key: Callable[[Delivery], Hashable] | None = None) -> int:
        """How often somebody saw the same again; the same title, text and link unless `key` says otherwise."""
        sameness = key or _seen_as
        counts = Counter((delivery.recipient, sameness(delivery)) for delivery in self.deliveries)
        return sum(count - 1 for count in counts.values())

    def report(self, seconds: float | None = None) -> dict[str, Any]:
        """The account in figures, as `/_fake/report` gives it."""
        return {
            "requests": len(self.pushes),
            "executed": sum(arrival.executed for arrival in self.pushes),
            "statuses": dict(Counter(str(arrival.status) for arrival in self.pushes)),
            "recipients": sum(len(arrival.recipients) for arrival in self.pushes if arrival.executed),
            "deliveries": len(self.deliveries),
            "duplicates": self.duplicates(),
            "worst_window": self.worst_window(seconds),
            "arrivals": [arrival.at for arrival in self.pushes],
            "now": self.clock(),
        }

    # --- the server ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_BODY_LIMIT_BYTES)
        app.router.add_get("/_fake/report", self._show_report)
        app.router.add_get("/_fake/deliveries", self._show_deliveries)
        app.router.add_get("/_fake/requests", self._show_requests)
        app.router.add_get("/_fake/faults", self._show_faults)
        app.router.add_put("/_fake/faults", self._set_faults)
        app.router.add_post("/_fake/faults", self._set_faults)
        app.router.add_delete("/_fake/faults", self._clear_faults)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.listens_on, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        arrival = Arrival(self.clock(), request.path)
        self.requests.append(arrival)
        self._next.set()
        self._next = asyncio.Event()
        fault = self._take_fault(request.path)
        arrival.fault = fault.kind if fault else ""
        body = await request.read()
        response = await self._before(fault, request)
        if response is None:
            response = self.execute(request, body, arrival)
            response = await self._after(fault, request, response)
        arrival.status = response.status if not _is_gone(request) else 0
        return response

    def _take_fault(self, path: str) -> Fault | None:
        """The first fault that fits; one with `times` is used up by it."""
        for index, fault in enumerate(self.faults):
            if path.startswith(fault.path):
                if fault.times is not None:
                    left = fault.times - 1
                    self.faults[index : index + 1] = [_with_times(fault, left)] if left > 0 else []
                return fault
        return None

    async def _before(self, fault: Fault | None, request: web.Request) -> web.StreamResponse | None:
        """What a fault answers without executing anything; None when the request is executed after all."""
        if fault is None:
            return None
        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.seconds)
            case "hang":
                return await self._hang(request)
            case "reset_before":
                return _reset(request)
            case "status" | "html" | "unavailable" | "limit" | "error":
                return self._answered(fault)
            case "hang_after" | "reset_after" | "cut_body":
                pass
        return None

    def _answered(self, fault: Fault) -> web.Response:
        if fault.kind == "status":
            headers = {"Content-Type": "application/json", **fault.headers}
            return web.Response(status=fault.status, body=fault.body.encode(), headers=headers)
        if fault.kind == "html":
            page = fault.body or "<html><body><h1>Bad Gateway</h1></body></html>"
            return web.Response(status=fault.status, text=page, content_type="text/html")
        return self.refusal(fault)

    async def _after(self, fault: Fault | None, request: web.Request, response: web.Response) -> web.StreamResponse:
        kind = fault.kind if fault else None
        if kind == "reset_after":
            return _reset(request)
        if kind == "hang_after":
            return await self._hang(request)
        return await _cut(request, response) if kind == "cut_body" else response

    async def _hang(self, request: web.Request) -> web.Response:
        await self._healed.wait()
        return _reset(request)

    # --- the control endpoint -----------------------------------------------------------------------------------------

    async def _show_report(self, request: web.Request) -> web.Response:
        seconds = request.query.get("seconds")
        return web.json_response(self.report(float(seconds) if seconds else None))

    async def _show_deliveries(self, request: web.Request) -> web.Response:
        return web.json_response(
            [{"recipient": seen.recipient, "at": seen.at, **seen.message._asdict()} for seen in self.deliveries]
        )

    async def _show_requests(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(arrival) for arrival in self.requests])

    async def _show_faults(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(fault) for fault in self.faults])

    async def _set_faults(self, request: web.Request) -> web.Response:
        """Put in place of all faults those of the body: one object with the fields of `Fault`, or a list of them."""
        try:
            asked = await request.json()
            faults = [_read_fault(each) for each in (asked if isinstance(asked, list) else [asked])]
        except (ValueError, TypeError) as error:
            return web.json_response({"error": f"not a fault: {error}"}, status=400)
        self.heal()
        self.faults.extend(faults)
        return web.json_response({"faults": len(faults)})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.heal()
        return web.json_response({"faults": 0})


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; empty where it is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _read_fault(asked: Any) -> Fault:
    if not isinstance(asked, dict) or asked.get("kind") not in get_args(FaultKind):
        raise ValueError(f"kind must be one of {', '.join(get_args(FaultKind))}")
    return Fault(**asked)


def _with_times(fault: Fault, times: int) -> Fault:
    return Fault(**{**asdict(fault), "times": times})


def _seen_as(delivery: Delivery) -> Hashable:
    return delivery.message.title, delivery.message.text, delivery.message.link


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _reset(request: web.Request) -> web.Response:
    """Cut the connection with a TCP reset. What is returned goes nowhere."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response(status=499)


async def _cut(request: web.Request, response: web.Response) -> web.StreamResponse:
    """The head, half of the body, and the end of the connection."""
    text = response.body if isinstance(response.body, bytes) else b"{}"
    cut = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    cut.content_length = len(text)
    await cut.prepare(request)
    await cut.write(text[: len(text) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut
