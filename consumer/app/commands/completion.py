"""What a shell offers when somebody presses the tabulator: names out of the configuration."""

import os
from pathlib import Path
from typing import Any

import typer


def lanes(context: typer.Context, incomplete: str) -> list[str]:
    """The lanes of the configuration that is named, else of the usual one; none where it cannot be read."""
    import yaml  # noqa: PLC0415

    named = context.params.get("config") or os.environ.get("VESTNIK_CONFIG") or "vestnik.yaml"
    path = Path(str(named))
    try:
        text = (path / "vestnik.yaml" if path.is_dir() else path).read_text("utf-8")
        document: Any = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return []
    found = document.get("lanes") if isinstance(document, dict) else None
    return [name for name in map(str, found or ()) if name.startswith(incomplete)] if isinstance(found, dict) else []
