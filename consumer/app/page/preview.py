"""A form on the admin port: what people would read of an example, or of an event that is put into it.

It shows nothing that came from a shop: the events are those of the examples, and whatever the reader brings along.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from consumer.app.examples import EVENT_BYTES_LIMIT
from consumer.app.page.rendering import render_preview
from consumer.app.page.words import chosen
from consumer.app.previewing import Preview, Source, example_source, preview_of
from consumer.app.setup import Setup
from consumer.core.decode import Undecodable
from consumer.core.model import Ignored

# As much as a form may carry; an event has a few kilobytes.
FORM_BYTES = 128 * 1024


class PreviewForm:
    """`setup` gives what is deployed at the moment."""

    def __init__(self, setup: Callable[[], Setup]) -> None:
        self._setup = setup

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/preview", self._asked), web.post("/preview", self._sent)]

    async def _asked(self, request: web.Request) -> web.Response:
        return await self._answered(request, request.query)

    async def _sent(self, request: web.Request) -> web.Response:
        form = await request.clone(client_max_size=FORM_BYTES).post()
        return await self._answered(request, form)

    async def _answered(self, request: web.Request, form: Any) -> web.Response:
        asked = {name: str(form.get(name, "")) for name in ("route", "locale", "event")}
        language = chosen(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        setup = self._setup()
        made = await asyncio.to_thread(previewed, setup, asked) if asked["route"] else None
        names = [loaded.route.id for loaded in setup.routes.routes]
        locales = sorted({code for loaded in setup.routes.routes for code in loaded.route.ladders if code})
        text = render_preview(asked, names, locales, made, language)
        return web.Response(text=text, content_type="text/html")


def previewed(setup: Setup, asked: dict[str, str]) -> Preview | str:
    """What the form's route says of the form's event, or of its first example; in words, why it says nothing."""
    loaded = setup.routes.find(asked["route"])
    if loaded is None:
        return f'unknown route "{asked["route"][:64]}"'
    written = asked["event"].strip()
    source = _written(setup, written) if written else example_source(setup, loaded)
    return source if isinstance(source, str) else preview_of(setup, loaded, source, asked["locale"] or None)


def _written(setup: Setup, text: str) -> Source | str:
    event = setup.sources.types.decode(text.encode("utf-8", "surrogatepass"), EVENT_BYTES_LIMIT)
    if isinstance(event, Undecodable):
        return f"{event.reason.value} {event.detail}".rstrip()
    if isinstance(event, Ignored):
        return f"{event.reason} {event.event_type}".rstrip()
    return Source("", event)
