"""The page over HTTP: whole, live by server-sent events, its charts' figures, and its few files."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from aiohttp import web

from consumer.app.page.history import History
from consumer.app.page.rendering import Settings, render_live, render_page
from consumer.app.page.verdict import verdict
from consumer.app.page.words import chosen, speech

EVENT_SECONDS = 1.0
# The admin port ends every connection after ten seconds; the browser comes again by itself, at once.
STREAM_SECONDS = 8.0
RETRY_MS = 250

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
Report = Callable[[], Mapping[str, Any]]


class Page:
    """What the admin port serves to people."""

    def __init__(
        self, report: Report, history: History, settings: Settings = (), more: Sequence[web.RouteDef] = ()
    ) -> None:
        self._more = more
        self._report = report
        self._history = history
        self._settings = settings
        folder = resources.files("consumer.app.page") / "static"
        names = (entry.name for entry in folder.iterdir())
        self._files = {name: (folder / name).read_bytes() for name in names if _kind(name)}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._whole),
            web.get("/events", self._live),
            web.get("/api/history", self._figures),
            web.get("/static/{name}", self._file),
            *self._more,
        ]

    async def _whole(self, request: web.Request) -> web.Response:
        text = render_page(self._report(), self._history.report(), self._settings, _language(request))
        return web.Response(text=text, content_type="text/html")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        language, loop = _language(request), asyncio.get_running_loop()
        until = loop.time() + STREAM_SECONDS
        try:
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            while loop.time() < until:
                await response.write(self._event(language))
                await asyncio.sleep(EVENT_SECONDS)
            await response.write_eof()
        except ConnectionError:
            # Whoever looked has left; nobody is told.
            return response
        return response

    def _event(self, language: str) -> bytes:
        report, say = self._report(), speech(language)
        word = verdict(report, say, language).word
        data = {"title": f"{word} · {say('title')}", "html": render_live(report, language)}
        return f"event: live\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

    async def _figures(self, _request: web.Request) -> web.Response:
        return web.json_response(self._history.report())

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = self._files.get(name)
        if body is None:
            raise web.HTTPNotFound
        return web.Response(body=body, content_type=_kind(name), charset="utf-8")


def _kind(name: str) -> str:
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), "")


def _language(request: web.Request) -> str:
    return chosen(request.query.get("lang"), request.headers.get("Accept-Language", ""))
