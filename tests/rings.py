"""Which rings of tests need a tool from outside, and why one of them cannot run here."""

import importlib
import os
import shutil
from collections.abc import Callable, Mapping
from typing import cast

from scripts import compiled

ALL_RINGS_VARIABLE = "ALL_RINGS"

# Only these may be missing where every ring is demanded: data that are large and do not belong to the repository, and a
# kubectl that knows components, which Debian does not have.
MAY_BE_MISSING = ("olist", "kubectl")


def _kafka() -> str | None:
    """The ring knows best what it needs; where it does not say, a broker of somebody's, or Java and Maven, will do."""
    try:
        ring = importlib.import_module("tests.kafka.ring")
    except ModuleNotFoundError:
        if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
            return None
        missing = [tool for tool, program in (("java", "java"), ("maven", "mvn")) if not shutil.which(program)]
        return f"no {' and no '.join(missing)}" if missing else None
    return cast("Callable[[], str | None]", ring.available)()


def _browser() -> str | None:
    return None if shutil.which("chromium") or shutil.which("chromium-browser") else "no chromium"


def _deploy() -> str | None:
    return None if shutil.which("promtool") else "no promtool"


RINGS: Mapping[str, Callable[[], str | None]] = {
    "kafka": _kafka,
    "browser": _browser,
    "deploy": _deploy,
    "compiled": compiled.missing,
}


def all_demanded(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a skipped ring fails the run, as on a build machine."""
    return environment.get(ALL_RINGS_VARIABLE, "") not in ("", "0")
