"""The admin port: is it alive, is it ready, how does it stand. It only ever reads, and listens on loopback by default.

One connection carries one request and lives for seconds, so that neither idle nor half-open clients pile up; where
there are too many all the same, the oldest that has asked nothing makes room, so that a probe is always answered.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from consumer.app.metrics import Metrics
from consumer.app.page.history import History
from consumer.app.page.serving import Page
from consumer.app.state import State
from consumer.app.why_live import read_ids

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "vestnik",
    "Connection": "close",
}


OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """Where to listen, and how much: port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = 9464
    connections: int = 64
    connection_seconds: float = 10.0


Tell = Callable[[Sequence[bytes]], dict[str, Any]]
"""Where commands are, by their ids, as plain data."""


class Admin:
    """The admin pages as a server: `start`, `port`, `stop`."""

    def __init__(
        self,
        settings: AdminSettings,
        state: State,
        metrics: Metrics,
        whereabouts: Tell = lambda _ids: {"lanes": {}},
        page: Page | None = None,
    ) -> None:
        self._page = page or Page(state.report, History(tuple(state.lanes), time.time))
        self._whereabouts = whereabouts
        self._settings = settings
        self._state = state
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that it listens on; 0 before `start`."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def start(self) -> str | None:
        """Listen. What is wrong, in words, when the address cannot be had."""
        runner = web.AppRunner(self._application(), access_log=None, handle_signals=False)
        await runner.setup()
        guard = _Guard(runner.server, self._settings)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                guard.connection, self._settings.host, self._settings.port, backlog=self._settings.connections
            )
        except OSError as error:
            await runner.cleanup()
            return f"the admin port {self._settings.host}:{self._settings.port} cannot be had: {error.strerror}"
        self._runner = runner
        return None

    async def stop(self) -> None:
        """Stop listening and let go of every connection."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=1024)
        application.on_response_prepare.append(_headers)
        application.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics_text),
                web.get("/api/state", self._state_json),
                web.get("/api/why", self._why_json),
                *self._page.routes(),
            ]
        )
        return application

    async def _livez(self, _request: web.Request) -> web.Response:
        return _probe(self._state.stalled())

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _probe(self._state.unready())

    async def _metrics_text(self, request: web.Request) -> web.Response:
        if self._metrics.has_exemplars and "application/openmetrics-text" in request.headers.get("Accept", ""):
            return web.Response(body=self._metrics.render_with_exemplars(), headers={"Content-Type": OPENMETRICS})
        return web.Response(
            body=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _state_json(self, _request: web.Request) -> web.Response:
        return web.json_response(self._state.report())

    async def _why_json(self, request: web.Request) -> web.Response:
        ids = read_ids(request.query.getall("command", []))
        if isinstance(ids, str):
            return web.json_response({"error": ids}, status=400)
        return web.json_response(self._whereabouts(ids))


def _probe(troubles: list[str]) -> web.Response:
    return web.Response(text="\n".join(troubles or ["ok"]) + "\n", status=503 if troubles else 200)


async def _headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.force_close()


class _Guard:
    """Makes the protocol of each connection: bounded in number, and each in time."""

    def __init__(self, server: web.Server | None, settings: AdminSettings) -> None:
        self._server = server
        self._settings = settings

    def connection(self) -> asyncio.BaseProtocol:
        """aiohttp's own protocol, with a deadline; one that hangs up at once where nobody can make room for it."""
        if self._server is None or not self._has_room(self._server):
            return _HangUp()
        handler = self._server()
        asyncio.get_running_loop().call_later(self._settings.connection_seconds, handler.force_close)
        return handler

    def _has_room(self, server: web.Server) -> bool:
        """Whether one more may come, for which the one that has been silent longest may have to go."""
        there = [handler for handler in server.connections if handler.transport is not None]
        if len(there) < self._settings.connections:
            return True
        silent = next((handler for handler in there if handler._current_request is None), None)
        if silent is not None:
            silent.force_close()
        return silent is not None


class _HangUp(asyncio.Protocol):
    """Answers nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
