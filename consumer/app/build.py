"""What is installed here: which version, and whether its core is machine code or plain Python."""

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version as installed
from importlib.util import find_spec

CORES = ("compiled", "plain")
# The build compiles its modules together or not at all: any of them stands for all.
HOT = "consumer.core.memory"


def version() -> str:
    """The installed version of the distribution."""
    return installed("vestnik")


def core(module: str = HOT) -> str:
    """How the core runs, one of CORES. It asks where Python would find it, and does not import it."""
    found = find_spec(module)
    origin = found.origin if found is not None else None
    return "compiled" if origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES)) else "plain"
