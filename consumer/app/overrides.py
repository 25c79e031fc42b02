"""The environment variables that stand above `vestnik.yaml`: a short, documented list, so that no other can."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from consumer.app.config import Bootstrap, LogFormat, LogLevel, Port
from consumer.app.kafka_config import StaticMember
from consumer.core.document import Path, Problem, Strict, Tree, read_part

PREFIX = "VESTNIK_"

OVERRIDES: Mapping[str, Path] = {
    "VESTNIK_KAFKA_BOOTSTRAP": ("kafka", "bootstrap"),
    "VESTNIK_KAFKA_USER": ("kafka", "security", "sasl", "user"),
    "VESTNIK_KAFKA_STATIC_MEMBER": ("kafka", "static_member"),
    "VESTNIK_ADMIN_HOST": ("admin", "host"),
    "VESTNIK_ADMIN_PORT": ("admin", "port"),
    "VESTNIK_LOG_FORMAT": ("logs", "format"),
    "VESTNIK_LOG_LEVEL": ("logs", "level"),
}


class Overrides(Strict):
    """The same list with what each value may be."""

    bootstrap: Bootstrap | None = Field(default=None, alias="VESTNIK_KAFKA_BOOTSTRAP")
    user: str | None = Field(default=None, alias="VESTNIK_KAFKA_USER", min_length=1)
    static_member: StaticMember | None = Field(default=None, alias="VESTNIK_KAFKA_STATIC_MEMBER")
    host: str | None = Field(default=None, alias="VESTNIK_ADMIN_HOST", min_length=1)
    port: Port | None = Field(default=None, alias="VESTNIK_ADMIN_PORT")
    format: LogFormat | None = Field(default=None, alias="VESTNIK_LOG_FORMAT")
    level: LogLevel | None = Field(default=None, alias="VESTNIK_LOG_LEVEL")


# Read elsewhere: where the configuration is, and where files go when nobody says.
ELSEWHERE = ("VESTNIK_CONFIG",)

# Kubernetes puts these into every pod beside a service that is called vestnik.
_SERVICE_LINKS = ("VESTNIK_SERVICE_", "VESTNIK_PORT")


@dataclass(frozen=True, slots=True)
class Overridden:
    """A configuration's tree with what the environment says, and which variable each such value came from."""

    tree: Tree
    origins: Mapping[Path, str]


def applied(tree: Tree, environ: Mapping[str, str]) -> Overridden | list[Problem]:
    """The environment laid over the file; every value in it that cannot be one."""
    given = {name: _value(name, environ[name]) for name in OVERRIDES if name in environ}
    read = read_part(Tree("environment", given), (), Overrides)
    if isinstance(read, list):
        return read
    data = _copied(tree.data) if isinstance(tree.data, dict) else tree.data
    origins: dict[Path, str] = {}
    if isinstance(data, dict):
        for name, value in given.items():
            if OVERRIDES[name][0] == "kafka" and "source" in data:
                continue
            _put(data, OVERRIDES[name], value)
            origins[OVERRIDES[name]] = name
    return Overridden(Tree(tree.file, data, tree.lines), origins)


def _copied(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copied(value) for key, value in data.items()}
    return data


def _put(data: dict[str, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        below = data.get(str(step))
        if not isinstance(below, dict):
            below = data[str(step)] = {}
        data = below
    data[str(path[-1])] = value


def _value(name: str, text: str) -> Any:
    return int(text) if name.endswith("_PORT") and text.isdecimal() else text


def unknown(environ: Mapping[str, str], known: set[str]) -> list[str]:
    """Variables that look as if they were meant for us and do nothing."""
    return sorted(
        name
        for name in environ
        if name.startswith(PREFIX) and name not in known and not name.startswith(_SERVICE_LINKS)
    )
