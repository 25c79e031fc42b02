"""Vestnik with the compiled core, as its image has it: built once for each state of the sources, to test and measure.

    python -m scripts.compiled tests.benchmarks.every --compare

runs the module with `consumer` from that build. Where a tool is missing it says which, and runs plain Python; what does
not compile is an error. With PLAIN=1 it does not try.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cache" / "wheel"
BUILD_SECONDS = 900


def missing() -> str | None:
    """What is not here that a build needs."""
    if shutil.which("cc") is None:
        return "no C compiler"
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return "no headers of Python"
    return None


def built() -> Path:
    """Where the unpacked wheel is; built if the sources have changed. Raises CalledProcessError where it does not
    build, with what was printed, and TimeoutExpired after fifteen minutes."""
    unpacked, mark = PLACE / "vestnik", PLACE / "built-of"
    with _alone():
        state = _state()
        if not mark.exists() or mark.read_text("utf-8") != state:
            mark.unlink(missing_ok=True)
            shutil.rmtree(unpacked, ignore_errors=True)
            with ZipFile(_wheel()) as wheel:
                wheel.extractall(unpacked)
            mark.write_text(state, "utf-8")
    return unpacked


def environment(unpacked: Path) -> dict[str, str]:
    """With these variables `consumer` is the built one, and everything else the tree's. Python must not look into the
    working directory first, nor may pytest, which `--import-mode=importlib` in pyproject.toml sees to."""
    return {"PYTHONPATH": f"{unpacked}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"}


def plain(variables: Mapping[str, str]) -> dict[str, str]:
    """The same variables without those."""
    return {name: value for name, value in variables.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}


def said(error: subprocess.CalledProcessError) -> str:
    """How a build ended that did not come to its end."""
    return f"The core does not compile:\n{error.stdout[-2000:]}\n{error.stderr[-2000:]}"


@contextmanager
def _alone() -> Iterator[None]:
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _state() -> str:
    """A hash of all that the build is made of."""
    sources = [path for package in ("consumer", "schemas") for path in (ROOT / package).rglob("*") if path.is_file()]
    found = hashlib.sha256(sys.version.encode())
    for path in sorted([*sources, *(ROOT / name for name in ("pyproject.toml", "uv.lock", "scripts/compile_core.py"))]):
        if "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return found.hexdigest()


def _wheel() -> Path:
    wheels = PLACE / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    variables = plain(os.environ) | {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"}
    subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS)
    return next(wheels.glob("*.whl"))


def main(arguments: Sequence[str]) -> int:
    why = "PLAIN is set" if os.environ.get("PLAIN", "") not in ("", "0") else missing()
    if why is not None:
        print(f"The core is not compiled: {why}.")
    try:
        variables = plain(os.environ) if why is not None else os.environ | environment(built())
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{said(error)}\n")
        return 1
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
