"""A schema registry on loopback, with moods; and events written in Avro."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from fastavro import schemaless_writer
from fastavro.schema import parse_schema

from consumer.streams.registry import Registry, RegistrySettings

Mood = Callable[[web.Request], Awaitable[web.Response]]
NULLABLE = ["null", "string"]


def _nullable(name: str, kind: Any = "string") -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


def _record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


ORDER_SCHEMA: dict[str, Any] = _record(
    "OrderEvent",
    {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["order_paid", "order_shipped"]}},
    {"name": "version", "type": "int"},
    _nullable("event_id", {"type": "string", "logicalType": "uuid"}),
    {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
)
"""Logical types; enums have no dots, so that this is another system's shape."""

EVENT_SCHEMA: dict[str, Any] = _record(
    "Event",
    {"name": "type", "type": "string"},
    {"name": "version", "type": "int"},
    {"name": "event_id", "type": "string"},
    {"name": "occurred_at", "type": "string"},
    {"name": "source", "type": "string"},
    _nullable("shop"),
    _nullable(
        "customer",
        _record(
            "Customer",
            _nullable("id"),
            _nullable("phone"),
            _nullable("locale"),
            _nullable("timezone"),
            _nullable("consents", _record("Consents", _nullable("push", "boolean"), _nullable("marketing", "boolean"))),
        ),
    ),
    _nullable(
        "order",
        _record(
            "Order",
            {"name": "id", "type": "string"},
            _nullable("public_id"),
            _nullable("status"),
            _nullable("revision", "long"),
            _nullable("currency"),
            _nullable("total"),
            _nullable("items_count", "int"),
            _nullable("payment", _record("Payment", _nullable("paid", "boolean"), _nullable("method"))),
            _nullable(
                "delivery", _record("Delivery", _nullable("kind"), _nullable("title"), _nullable("storage_until"))
            ),
            _nullable("cancel_reason"),
            {"name": "responsible_user_ids", "type": {"type": "array", "items": "long"}, "default": []},
        ),
    ),
    _nullable(
        "bonus",
        _record(
            "Bonus",
            {"name": "operation_id", "type": "string"},
            {"name": "amount", "type": "string"},
            _nullable("balance"),
            _nullable("reason"),
            _nullable("order_id"),
            _nullable("expires_at"),
            _nullable("kind"),
        ),
    ),
)
"""Our events as a shop would write them in Avro."""


def avro(schema: Any, value: Any) -> bytes:
    stream = BytesIO()
    schemaless_writer(stream, parse_schema(schema), value)
    return stream.getvalue()


def framed(number: int, payload: bytes) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + payload


class FakeRegistry:
    """`schemas` by number: what stands under `schema`, and more members of the answer. `mood` takes the place of an
    answer; `asked` are the paths."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[tuple[str, str], dict[str, Any]] = {}
        self.mood: Mood | None = None
        self.asked: list[str] = []
        self.authorization: list[str | None] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    def put(self, number: int, schema: Any, **more: Any) -> None:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self.schemas[number] = {"schema": text, **more}

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.authorization.append(request.headers.get("Authorization"))
        if self.mood is not None:
            return await self.mood(request)
        match [unquote(part) for part in request.raw_path.strip("/").split("/")]:
            case ["schemas", "ids", number]:
                found = self.schemas.get(int(number))
            case ["subjects", subject, "versions", version]:
                found = self.subjects.get((subject, version))
            case _:
                found = None
        if found is None:
            return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)
        return web.json_response(found)

    async def up(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def down(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@asynccontextmanager
async def registry_server() -> AsyncIterator[FakeRegistry]:
    fake = FakeRegistry()
    await fake.up()
    try:
        yield fake
    finally:
        await fake.down()


def registry(fake: FakeRegistry, **more: Any) -> Registry:
    return Registry(RegistrySettings(fake.url, **more))


def answering(status: int, body: str, content_type: str = "application/json") -> Mood:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=content_type, headers={"Location": "/elsewhere"})

    return answer


async def hanging(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()
