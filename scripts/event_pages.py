"""Writes a page per event, `docs/events/`: its fields, an example, and what happens to it. Run it with `python -m`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from consumer.catalogue import catalogue_files
from consumer.core.routes import LoadedRoute, RouteSet, load_routes
from consumer.core.units import spell_seconds
from schemas.envelope import Event
from schemas.events import EVENT_TYPES
from schemas.meanings import MEANINGS
from scripts.reference import sections

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "events"
MADE = "<!-- made by `python -m scripts.event_pages`; a test keeps it fresh -->"


def documents() -> dict[str, str]:
    """The text of each file in docs/events/, by its name."""
    files = catalogue_files()
    routes = load_routes({name: text for name, text in files.items() if name.startswith("routes/")})
    if not isinstance(routes, RouteSet):
        raise SystemExit("\n".join(map(str, routes)))
    pages = {f"{name}.md": _page(name, model, routes, files) for name, model in EVENT_TYPES.items()}
    return {"index.md": _index(), **pages}


def _index() -> str:
    rows = [f"| [{name}]({name}.md) | {MEANINGS[name]} |" for name in EVENT_TYPES]
    return "\n".join(
        [
            "# Which events can a shop publish?",
            "",
            MADE,
            "",
            "JSON, a record each. The key of the record is the customer's id, so that the events of one customer stay",
            "in order. Unknown fields are passed over; a mistake in a known one makes a dead letter, and",
            "`vestnik event validate FILE` tells every mistake before. For machines: `schemas/json/` and",
            "`schemas/asyncapi.yaml`.",
            "",
            "| event | when |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _page(name: str, model: type[Event], routes: RouteSet, files: Mapping[str, str]) -> str:
    wanting = [loaded for loaded in routes.routes if name in loaded.route.types]
    tables = "\n\n".join(sections("Fields", model))
    parts = [
        f"# {name}",
        MADE,
        MEANINGS[name],
        *_example(name, files),
        "## What happens to it",
        *_fate(wanting),
        tables,
    ]
    return "\n\n".join(parts) + "\n"


def _example(name: str, files: Mapping[str, str]) -> Iterator[str]:
    text = files.get(f"examples/{name.replace('.', '_')}.json")
    if text is not None:
        document: Any = json.loads(text)
        yield "## An example"
        yield f"```json\n{json.dumps(document, ensure_ascii=False, indent=2)}\n```"


def _fate(wanting: list[LoadedRoute]) -> Iterator[str]:
    """What the catalogue makes of it; a shop's own routes may do otherwise."""
    if not wanting:
        yield "No route of the catalogue wants it: it is read and passed over, unless a route of yours wants it."
        return
    yield "With the routes of the catalogue; `vestnik preview ROUTE` shows all wordings."
    head = [
        "| route | lane | told when | in time | no news after | the most personal wording |",
        "|---|---|---|---|---|---|",
    ]
    yield "\n".join([*head, *(_row(loaded) for loaded in wanting)])


def _row(loaded: LoadedRoute) -> str:
    route = loaded.route
    wording = next(iter(route.ladders.values()))[0]
    within, ttl = spell_seconds(route.deliver_within_seconds), spell_seconds(route.ttl)
    condition = f"`{route.when}`" if route.when else "always"
    said = " ".join(f"{wording.title}: {wording.text}".replace("|", "\\|").split())
    return f"| `{route.id}` | {route.lane} | {condition} | {within} | {ttl} | `{said}` |"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in FOLDER.glob("*.md"):
        stale.unlink()
    for name, text in documents().items():
        (FOLDER / name).write_text(text, "utf-8")
