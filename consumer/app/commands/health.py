"""`vestnik health`: is the process beside this one alive? For containers, which have no shell to ask with."""

import http.client
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, FAILED, FINE, USAGE, ConfigPath, leave

ANSWER_SECONDS = 4.0
ANSWER_BYTES = 4096
ADMIN_PORT = 9464


def health(
    config: ConfigPath = DEFAULT_CONFIG,
    ready: Annotated[bool, typer.Option("--ready", help="Is it ready, too: do its lanes have what they need?")] = False,
) -> None:
    """Is the process on this machine alive? It asks the admin port. 0: yes; 1: no, and why."""
    port = _port(config, os.environ)
    status, words = ask("127.0.0.1", port, "/readyz" if ready else "/livez")
    if status == 200:
        typer.echo(words)
        raise typer.Exit(FINE)
    leave(words, FAILED)


def ask(host: str, port: int, path: str) -> tuple[int, str]:
    """The status and the words of an answer; status 0 where there was none."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"nothing answers on port {port}: {error}"
    finally:
        connection.close()


def _port(config: Path, environment: Mapping[str, str]) -> int:
    """The admin port, read without the rest of the configuration: this runs every few seconds."""
    import yaml  # noqa: PLC0415

    said = environment.get("VESTNIK_ADMIN_PORT")
    if said is None:
        path = config / "vestnik.yaml" if config.is_dir() else config
        try:
            document = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            leave(f"{path} cannot be read: {type(error).__name__}", USAGE)
        said = _nested(document, "admin", "port")
    port = int(said) if str(said).isdecimal() else ADMIN_PORT
    if port == 0:
        leave("admin.port is 0, any free one: nobody can know where to ask", USAGE)
    return port


def _nested(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
