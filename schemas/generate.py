"""Writes the JSON Schemas of events, journal records and dead letters: `python -m schemas.generate`."""

import json
from pathlib import Path
from typing import Any

from schemas.dead_letter import DeadLetterHeaders
from schemas.events import EVENT_TYPES
from schemas.journal import JOURNAL_RECORD

FOLDER = Path(__file__).parent / "json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """The text of each file in `schemas/json/`, by file name."""
    schemas: dict[str, dict[str, Any]] = {name: model.model_json_schema() for name, model in EVENT_TYPES.items()}
    schemas["journal"] = JOURNAL_RECORD.json_schema()
    schemas["dead_letter"] = DeadLetterHeaders.model_json_schema()
    return {f"{name}.json": _text(schema) for name, schema in sorted(schemas.items())}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": _DIALECT} | schema, ensure_ascii=False, indent=2) + "\n"


def write(folder: Path) -> None:
    """Make the folder hold these files and no other schema."""
    folder.mkdir(exist_ok=True)
    wanted = documents()
    for stale in folder.glob("*.json"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover
    write(FOLDER)
